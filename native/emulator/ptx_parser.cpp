// Reads the text of a module: directives, variables, kernels and their instructions.
#include "ptx.h"
#include "ptx_decoder.h"
#include "ptx_text.h"

#include <algorithm>
#include <bit>
#include <cstdio>
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

class Parser : TokenReader {
public:
    Parser(std::string_view text, Module& target) : TokenReader(text), module_(target) {}
    void parse();

private:
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
    Scope scope_; // variables of the module
};

Space spaceNamed(std::string_view directive) {
    return directive == ".global" ? Space::Global : directive == ".const" ? Space::Constant : directive == ".shared" ? Space::Shared
        : directive == ".local" ? Space::Local : Space::Generic;
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
            back(1);
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
    auto& storage =
        module_.variableBytes.emplace_back(std::make_unique<std::byte[]>(bytes + 2 * alignment)); // space behind: neighbours never touch
    auto start = reinterpret_cast<uint64_t>(storage.get());
    uint64_t address = (start + alignment - 1) / alignment * alignment;
    if (variable.values.size() > variable.count)
        fail("'" + variable.name + "' has more values than elements");
    for (size_t n = 0; n < variable.values.size(); n++) {
        if (variable.values[n].kind != Operand::Kind::Number)
            fail("'" + variable.name + "' begins with something that is not a number");
        std::memcpy(reinterpret_cast<std::byte*>(address) + n * variable.elementBytes, &variable.values[n].bits,
                    variable.elementBytes); // little-endian
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
        std::string type(peek(peek().is(".align") ? 2 : 0).text.substr(1));
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
            decoder.defineLabel(std::string(next().text));
            next();
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

int Module::capability() const {
    int number = 0;
    std::sscanf(target.c_str(), "sm_%d", &number);
    return number;
}

int Module::versionNumber() const {
    int major = 0, minor = 0;
    std::sscanf(version.c_str(), "%d.%d", &major, &minor);
    return major * 10 + minor;
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
