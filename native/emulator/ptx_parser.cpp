// Reads the text of a module: directives, variables, kernels and their instructions.
#include "ptx.h"
#include "ptx_decoder.h"
#include "ptx_text.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace emulator {

namespace {

struct VariableText {
    std::string name;
    unsigned elementBytes = 0;
    size_t alignment = 1;
    size_t count = 1;
    bool unsized = false;          // name[]
    std::vector<Operand> values;   // the initial ones
};

class Parser {
public:
    Parser(std::string_view text, Module& target) : module_(target), tokens_(tokenize(text)) {}
    void parse();

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw PtxError("PTX line " + std::to_string(tokens_[at_].line) + ": " + what);
    }
    const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    Token next() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_.back(); }
    bool accept(std::string_view text);
    void expect(std::string_view text);
    std::string_view expectWord();
    uint64_t expectInteger();
    void skipBraces();
    void skipStatement();

    Operand parseOperand();
    Operand parseNumber(std::string_view word, bool negative);
    VariableText parseVariable();
    void parseFile();
    void parseModuleVariable(bool isExtern);
    void parseFunction();
    void parseKernel();
    void parseParameters(Kernel& kernel);
    void parseBody(Kernel& kernel, KernelDecoder& decoder);
    void parseDirective(KernelDecoder& decoder);
    void parseRegisters(KernelDecoder& decoder);
    void parseLocation(KernelDecoder& decoder);
    WrittenInstruction parseInstruction();
    void store(const VariableText& variable, Space space);

    Module& module_;
    std::vector<Token> tokens_;
    size_t at_ = 0;
    Scope scope_; // variables of the module
};

Space spaceNamed(std::string_view directive) {
    return directive == ".global" ? Space::Global : directive == ".const" ? Space::Constant : directive == ".shared" ? Space::Shared
        : directive == ".local" ? Space::Local : Space::Generic;
}

bool Parser::accept(std::string_view text) {
    if (!peek().is(text))
        return false;
    next();
    return true;
}

void Parser::expect(std::string_view text) {
    if (!accept(text))
        fail("'" + std::string(text) + "' was expected, not '" + std::string(peek().text) + "'");
}

std::string_view Parser::expectWord() {
    if (!peek().word)
        fail("a word was expected, not '" + std::string(peek().text) + "'");
    return next().text;
}

uint64_t Parser::expectInteger() {
    Operand number = parseOperand();
    if (number.kind != Operand::Kind::Number)
        fail("a number was expected");
    return number.bits;
}

void Parser::skipBraces() {
    expect("{");
    for (int depth = 1; depth > 0;) {
        if (peek().text.empty())
            fail("a '}' is missing");
        Token token = next();
        depth += token.is("{") ? 1 : token.is("}") ? -1 : 0;
    }
}

void Parser::skipStatement() {
    while (!accept(";")) {
        if (peek().text.empty())
            fail("a ';' is missing");
        next();
    }
}

void Parser::parse() {
    while (!peek().text.empty()) {
        std::string_view word = expectWord();
        if (word == ".version")
            module_.version = expectWord();
        else if (word == ".target") {
            module_.target = expectWord();
            while (accept(","))
                expectWord();
        } else if (word == ".address_size") {
            if (expectInteger() != 64)
                fail("only 64-bit addresses are known");
        } else if (word == ".file")
            parseFile();
        else if (word == ".entry")
            parseKernel();
        else if (word == ".func")
            parseFunction();
        else if (word == ".section") {
            expectWord();
            skipBraces();
        } else if (word == ".extern")
            parseModuleVariable(true);
        else if (word == ".visible" || word == ".weak" || word == ".common")
            continue;
        else if (spaceNamed(word) != Space::Generic) {
            at_--;
            parseModuleVariable(false);
        } else if (word == ".pragma")
            skipStatement();
        else
            fail("'" + std::string(word) + "' is not known");
    }
}

void Parser::parseFile() {
    size_t number = expectInteger();
    if (number > 100000)
        fail("a file has the number " + std::to_string(number));
    module_.files.resize(std::max(module_.files.size(), number + 1));
    module_.files[number] = expectWord();
    while (accept(","))
        parseOperand();
}

// Device functions that nvcc did not inline; a kernel that calls one fails at its call.
void Parser::parseFunction() {
    while (!peek().is("{") && !peek().is(";"))
        if (next().text.empty())
            fail("a function has no end");
    if (!accept(";"))
        skipBraces();
}

// .align 4 .b8 name[16] = {1, 2, ...}
VariableText Parser::parseVariable() {
    VariableText variable;
    bool aligned = false;
    for (;;) {
        std::string_view word = expectWord();
        if (word == ".align") {
            variable.alignment = expectInteger();
            aligned = true;
            if (!std::has_single_bit(variable.alignment) || variable.alignment > 4096)
                fail("an alignment is not a power of two");
        } else if (word[0] == '.') {
            variable.elementBytes = typeBytes(word.substr(1));
            if (variable.elementBytes == 0 && word != ".ptr" && spaceNamed(word) == Space::Generic)
                fail("'" + std::string(word) + "' is not a type of variables");
        } else {
            variable.name = word;
            break;
        }
    }
    if (!aligned)
        variable.alignment = variable.elementBytes;
    while (accept("[")) {
        if (accept("]")) {
            variable.unsized = true;
        } else {
            variable.count *= expectInteger();
            expect("]");
        }
    }
    if (accept("=")) {
        if (accept("{")) {
            while (!accept("}")) {
                variable.values.push_back(parseOperand());
                accept(",");
            }
        } else {
            variable.values.push_back(parseOperand());
        }
    }
    return variable;
}

void Parser::parseModuleVariable(bool isExtern) {
    std::string_view word = expectWord();
    if (isExtern && word == ".func")
        return parseFunction();
    Space space = spaceNamed(word);
    VariableText variable = parseVariable();
    expect(";");
    size_t bytes = variable.elementBytes * variable.count;
    if (space == Space::Shared && (variable.unsized || isExtern))
        scope_[variable.name] = {.kind = Symbol::Kind::DynamicShared};
    else if (space == Space::Shared)
        scope_[variable.name] = {.kind = Symbol::Kind::Variable, .alignment = uint32_t(variable.alignment), .space = space, .bytes = bytes};
    else if (isExtern || (space != Space::Global && space != Space::Constant))
        fail("a variable of this kind is not known to the emulator");
    else
        store(variable, space);
}

void Parser::store(const VariableText& variable, Space space) {
    constexpr size_t alignment = 256;
    size_t bytes = variable.elementBytes * variable.count;
    auto& storage = module_.variableBytes.emplace_back(std::make_unique<std::byte[]>(bytes + 2 * alignment)); // space behind: neighbours never touch
    auto start = reinterpret_cast<uint64_t>(storage.get());
    uint64_t address = (start + alignment - 1) / alignment * alignment;
    if (variable.values.size() > variable.count)
        fail("'" + variable.name + "' has more values than elements");
    for (size_t n = 0; n < variable.values.size(); n++) {
        if (variable.values[n].kind != Operand::Kind::Number)
            fail("'" + variable.name + "' begins with something that is not a number");
        std::memcpy(reinterpret_cast<std::byte*>(address) + n * variable.elementBytes, &variable.values[n].bits, variable.elementBytes); // little-endian
    }
    module_.variables.push_back({variable.name, space, {address, bytes, 0}});
    scope_[variable.name] = {.kind = Symbol::Kind::Variable, .space = space, .address = address, .bytes = bytes};
}

void Parser::parseKernel() {
    auto& kernel = *module_.kernels.emplace_back(std::make_unique<Kernel>());
    kernel.module = &module_;
    kernel.name = expectWord();
    if (accept("(")) {
        parseParameters(kernel);
    }
    while (!peek().is("{") && !peek().is(";")) {
        std::string_view word = expectWord();
        if (word == ".maxntid" || word == ".reqntid") {
            kernel.maxThreads = uint32_t(expectInteger());
            while (accept(","))
                kernel.maxThreads *= uint32_t(expectInteger());
        } else if (word == ".minnctapersm" || word == ".maxnreg") {
            expectInteger();
        } else {
            fail("'" + std::string(word) + "' is not known");
        }
    }
    if (accept(";")) { // a declaration
        module_.kernels.pop_back();
        return;
    }
    KernelDecoder decoder(kernel, scope_);
    expect("{");
    parseBody(kernel, decoder);
    decoder.finish();
}

void Parser::parseParameters(Kernel& kernel) {
    while (!accept(")")) {
        expect(".param");
        size_t typeAt = at_;
        while (peek().is(".align"))
            at_ += 2;
        std::string type(peek().text.substr(1));
        at_ = typeAt;
        VariableText variable = parseVariable();
        size_t bytes = variable.elementBytes * variable.count;
        size_t offset = (kernel.parameterBytes + variable.alignment - 1) / variable.alignment * variable.alignment;
        kernel.parameters.push_back({variable.name, type, offset, bytes, variable.alignment});
        kernel.parameterBytes = offset + bytes;
        accept(",");
    }
}

void Parser::parseBody(Kernel& kernel, KernelDecoder& decoder) {
    while (!accept("}")) {
        const Token& token = peek();
        if (token.text.empty())
            fail("kernel " + kernel.name + " has no end");
        if (accept("{")) { // as inline assembly has
            decoder.openScope();
            parseBody(kernel, decoder);
            decoder.closeScope();
        } else if (accept(";")) {
            continue;
        } else if (token.word && peek(1).is(":")) {
            decoder.defineLabel(std::string(token.text));
            at_ += 2;
        } else if (token.word && token.text[0] == '.') {
            parseDirective(decoder);
        } else {
            decoder.decode(parseInstruction());
        }
    }
}

void Parser::parseDirective(KernelDecoder& decoder) {
    std::string_view word = peek().text;
    if (word == ".loc") {
        parseLocation(decoder);
    } else if (word == ".reg") {
        next();
        parseRegisters(decoder);
    } else if (word == ".pragma") {
        skipStatement();
    } else if (word == ".branchtargets") {
        next();
        std::vector<std::string> labels;
        do
            labels.emplace_back(expectWord());
        while (accept(","));
        expect(";");
        decoder.defineTable(std::move(labels));
    } else if (word == ".shared" || word == ".local") {
        Space space = spaceNamed(next().text);
        VariableText variable = parseVariable();
        expect(";");
        decoder.declareVariable(variable.name, space, variable.elementBytes * variable.count, variable.alignment);
    } else if (word == ".extern") {
        next();
        expect(".shared");
        decoder.declareDynamicShared(parseVariable().name);
        expect(";");
    } else {
        fail("'" + std::string(word) + "' is not known");
    }
}

// .reg .b32 %r<38>, %x;
void Parser::parseRegisters(KernelDecoder& decoder) {
    std::string_view type = expectWord().substr(1);
    if (type != "pred" && typeBytes(type) == 0)
        fail("registers of the type '" + std::string(type) + "' are not known to the emulator");
    do {
        std::string name(expectWord());
        if (accept("<")) {
            uint64_t count = expectInteger();
            expect(">");
            for (uint64_t n = 0; n < count; n++)
                decoder.declareRegister(name + std::to_string(n), type);
        } else {
            decoder.declareRegister(name, type);
        }
    } while (accept(","));
    expect(";");
}

// .loc file line column {, function_name label, inlined_at file line column}. Line 0: the compiler does not know.
void Parser::parseLocation(KernelDecoder& decoder) {
    next();
    auto file = uint32_t(expectInteger()), line = uint32_t(expectInteger());
    expectInteger();
    if (line != 0)
        decoder.setSource(file, line);
    if (accept(",")) {
        expectWord();
        expectWord();
        if (accept("+"))
            expectInteger();
        expect(",");
        expectWord();
        for (int n = 0; n < 3; n++)
            expectInteger();
    }
}

WrittenInstruction Parser::parseInstruction() {
    WrittenInstruction written;
    if (accept("@")) {
        written.guardNegated = accept("!");
        written.guard = expectWord();
    }
    written.line = peek().line;
    written.opcodeText = expectWord();
    for (size_t from = 0; from <= written.opcodeText.size();) {
        size_t dot = std::min(written.opcodeText.find('.', from), written.opcodeText.size());
        written.opcode.push_back(written.opcodeText.substr(from, dot - from));
        from = dot + 1;
    }
    if (written.opcode[0] == "call")
        fail("device functions that are not inlined are not known to the emulator");
    while (!accept(";")) {
        written.operands.push_back(parseOperand());
        if (accept("|"))
            written.paired = true;
        else if (!peek().is(";"))
            expect(",");
    }
    return written;
}

Operand Parser::parseOperand() {
    Operand operand;
    if (accept("{")) {
        operand.kind = Operand::Kind::Vector;
        do
            operand.elements.push_back(parseOperand());
        while (accept(","));
        expect("}");
        return operand;
    }
    if (accept("[")) {
        operand = parseOperand();
        if (operand.kind == Operand::Kind::Number) {
            operand.offset = int64_t(operand.bits);
            operand.name = {};
        }
        operand.kind = Operand::Kind::Address;
        expect("]");
        return operand;
    }
    operand.negated = accept("!");
    bool negative = accept("-");
    std::string_view word = expectWord();
    if (word == "_") {
        operand.kind = Operand::Kind::Sink;
    } else if (word[0] >= '0' && word[0] <= '9') {
        return parseNumber(word, negative);
    } else {
        operand.name = word;
        while (peek().is("+") || peek().is("-")) {
            bool minus = next().is("-");
            auto offset = int64_t(expectInteger()); // "+-8" is written too
            operand.offset += minus ? -offset : offset;
        }
    }
    return operand;
}

// 12, -12, 0x1F, 0b101, 12U, 0f3F800000 (float32 bits), 0d3FF0000000000000 (float64 bits), 1.5
Operand Parser::parseNumber(std::string_view word, bool negative) {
    Operand number;
    number.kind = Operand::Kind::Number;
    std::string_view digits = word;
    int base = 10;
    char mark = word.size() > 1 && word[0] == '0' ? word[1] : '0';
    if (mark == 'f' || mark == 'F' || mark == 'd' || mark == 'D') {
        base = 16;
        digits.remove_prefix(2);
        number.floatBytes = mark == 'f' || mark == 'F' ? 4 : 8;
    } else if (mark == 'x' || mark == 'X') {
        base = 16;
        digits.remove_prefix(2);
    } else if (mark == 'b' || mark == 'B') {
        base = 2;
        digits.remove_prefix(2);
    } else if (word.find('.') != std::string_view::npos) {
        number.floatBytes = 8;
        double value = std::stod(std::string(word));
        number.bits = std::bit_cast<uint64_t>(negative ? -value : value);
        return number;
    } else if (word.size() > 1 && word[0] == '0') {
        base = 8;
    }
    if (digits.ends_with('U'))
        digits.remove_suffix(1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number.bits, base);
    if (error != std::errc() || end != digits.data() + digits.size())
        fail("'" + std::string(word) + "' is not a number");
    if (negative)
        number.bits = 0 - number.bits;
    return number;
}

} // namespace

std::unique_ptr<Module> parseModule(std::string_view text) {
    if (size_t end = text.find('\0'); end != std::string_view::npos)
        text = text.substr(0, end);
    auto module = std::make_unique<Module>();
    module->lines.emplace_back(); // lines count from 1
    for (size_t from = 0; from <= text.size();) {
        size_t end = std::min(text.find('\n', from), text.size());
        module->lines.emplace_back(text.substr(from, end - from));
        from = end + 1;
    }
    Parser(text, *module).parse();
    return module;
}

const Kernel* Module::find(std::string_view kernelName) const {
    for (const auto& kernel : kernels)
        if (kernel->name == kernelName)
            return kernel.get();
    return nullptr;
}

const Variable* Module::findVariable(std::string_view variableName) const {
    for (const Variable& variable : variables)
        if (variable.name == variableName)
            return &variable;
    return nullptr;
}

const Variable* Module::variableAt(uint64_t address) const {
    for (const Variable& variable : variables)
        if (variable.storage.contains(address, 1))
            return &variable;
    return nullptr;
}

} // namespace emulator
