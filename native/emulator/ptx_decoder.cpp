#include "ptx_decoder.h"

#include "interpreter_control.h"

#include <algorithm>

namespace emulator {

namespace {

const OpcodeTable& opcodes() {
    static const OpcodeTable table = [] {
        OpcodeTable t;
        addIntegerOpcodes(t);
        addFloatOpcodes(t);
        addDoubleOpcodes(t);
        addConversions(t);
        addComparisons(t);
        return t;
    }();
    return table;
}

Arithmetic arithmeticOf(const std::vector<std::string_view>& opcode) {
    if (opcode.back() != "f32")
        return Arithmetic::Other;
    std::string_view name = opcode[0];
    return name == "fma" || name == "mad" ? Arithmetic::Fused
        : name == "mul"                   ? Arithmetic::Product
        : name == "add" || name == "sub"  ? Arithmetic::Sum
                                          : Arithmetic::Other;
}

} // namespace

KernelDecoder::KernelDecoder(Kernel& target, const Scope& moduleScope) : kernel_(target), moduleScope_(moduleScope) {
    kernel_.predicates = fixedPredicates;
    openScope();
    for (const Parameter& p : kernel_.parameters)
        scopes_.back()[p.name] = {.kind = Symbol::Kind::Variable, .space = Space::Parameter, .address = p.offset, .bytes = p.bytes};
}

void KernelDecoder::fail(const std::string& what) const {
    throw PtxError("PTX line " + std::to_string(written_.line) + ", kernel " + kernel_.name + ", '" + std::string(written_.opcodeText) +
                   "': " + what);
}

void KernelDecoder::decode(const WrittenInstruction& written) {
    written_ = written;
    guard_ = alwaysTrue;
    guardFlip_ = written.guardNegated ? allLanes : 0;
    if (!written.guard.empty()) {
        Symbol* symbol = find(written.guard);
        if (symbol == nullptr || symbol->kind != Symbol::Kind::Register || symbol->place != Place::Predicate)
            fail("'" + std::string(written.guard) + "' is not a predicate");
        guard_ = symbol->value;
    }

    std::string_view name = written.opcode[0];
    if (name == "mov")
        decodeMove();
    else if (name == "ld" || name == "ldu")
        decodeMemory(false);
    else if (name == "st")
        decodeMemory(true);
    else if (name == "atom" || name == "red")
        decodeAtomic(name == "atom");
    else if (name == "cvta")
        decodeAddressConversion();
    else if (name == "bra" || name == "brx")
        decodeBranch(name == "brx");
    else if (name == "ret" || name == "exit")
        emit(executeExit, 0, {}).endsRun = true;
    else if (name == "trap")
        emit(executeTrap, 0, {});
    else if ((name == "bar" && written.opcode.size() > 1 && written.opcode[1] != "warp") || name == "barrier")
        decodeBarrier();
    else if (name == "bar" || name == "shfl" || name == "vote" || name == "match" || name == "activemask")
        decodeWarpOperation();
    else if (name == "mma")
        decodeMultiply();
    else if (name == "ldmatrix")
        decodeMatrixLoad();
    else if (name == "cp" && written.opcode.size() > 1 && written.opcode[1] == "async")
        decodeAsyncCopy();
    else if (name == "membar" || name == "fence")
        emit(executeFence, 0, {});
    else if (name == "nanosleep")
        return;
    else
        decodeByTable(name == "cvt");
    convertOutputs();
}

void KernelDecoder::decodeByTable(bool isConversion) {
    for (std::string_view part : written_.opcode)
        if (part == "bf16" || part == "bf16x2" || part == "tf32" || part == "f16x2")
            requireTarget(isConversion && part == "bf16" && part == written_.opcode.back() ? 90 : 80, 70); // from bf16: Hopper
    std::string key = opcodeKey();
    auto found = opcodes().find(key);
    if (found == opcodes().end())
        fail("this opcode is not known to the emulator");
    const Form& form = found->second;

    // setp p, a, b has a second result that need not be written.
    std::vector<Operand> operands = written_.operands;
    Operand sink;
    sink.kind = Operand::Kind::Sink;
    if (form.paired && !written_.paired && !operands.empty())
        operands.insert(operands.begin() + 1, sink);
    if (operands.size() != form.operands.size())
        fail("takes " + std::to_string(form.operands.size()) + " operands, not " + std::to_string(operands.size()));

    // A conversion takes and gives registers wider than its types.
    bool isSigned = isConversion && written_.opcode[written_.opcode.size() - 2][0] == 's';
    std::vector<ValueId> values(operands.size());
    size_t results = form.paired ? 2 : 1;
    for (size_t n = results; n < operands.size(); n++) {
        values[n] = input(operands[n], form.operands[n]);
        if (!isConversion && !outputs_.empty())
            fail("a result has the wrong size");
    }
    for (size_t n = 0; n < results; n++) {
        if (n == 1 && operands[n].kind == Operand::Kind::Sink)
            values[n] = sparePredicate;
        else
            values[n] = output(operands[n], form.operands[n], isSigned);
    }
    Instruction& i = emit(form.execute, results, values);
    i.immediate = form.immediate;
    i.arithmetic = arithmeticOf(written_.opcode);
}

Instruction& KernelDecoder::emit(Execute execute, size_t results, const std::vector<ValueId>& operands) {
    Instruction& i = kernel_.instructions.emplace_back();
    i.execute = execute;
    i.guard = guard_ & ~predicateMark;
    i.guardFlip = guardFlip_;
    i.index = uint32_t(kernel_.instructions.size() - 1);
    if (operands.size() <= i.operands.size()) {
        std::copy(operands.begin(), operands.end(), i.operands.begin());
    } else {
        i.immediate = int64_t(kernel_.operandLists.size());
        std::copy(operands.begin(), operands.end(), kernel_.operandLists.emplace_back().begin());
    }
    operandCounts_.push_back({uint8_t(results), uint8_t(operands.size())});
    kernel_.statements.push_back({written_.line, sourceFile_, sourceLine_});
    return i;
}

void KernelDecoder::emitForm(const std::string& opcode, const std::vector<ValueId>& operands) {
    const Form& form = opcodes().at(opcode);
    emit(form.execute, 1, operands).immediate = form.immediate;
}

bool KernelDecoder::take(std::string_view modifier) {
    auto found = std::find(written_.opcode.begin() + 1, written_.opcode.end(), modifier);
    if (found == written_.opcode.end())
        return false;
    written_.opcode.erase(found);
    return true;
}

bool KernelDecoder::takeAny(std::initializer_list<std::string_view> modifiers) {
    bool any = false;
    for (std::string_view modifier : modifiers)
        any |= take(modifier);
    return any;
}

std::string KernelDecoder::opcodeKey() const {
    std::string key;
    for (std::string_view part : written_.opcode)
        key += (key.empty() ? "" : ".") + std::string(part);
    return key;
}

const Operand& KernelDecoder::operand(size_t n) const {
    if (n >= written_.operands.size())
        fail("lacks an operand");
    return written_.operands[n];
}

void KernelDecoder::expectOperands(size_t least, size_t most) const {
    if (written_.operands.size() < least || written_.operands.size() > most)
        fail("has " + std::to_string(written_.operands.size()) + " operands");
}

} // namespace emulator
