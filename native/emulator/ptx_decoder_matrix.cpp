// Decodes mma, ldmatrix and cp.async, which need a target of their own.
#include "interpreter_matrix.h"
#include "ptx_decoder.h"

#include <algorithm>
#include <charconv>

namespace emulator {

void KernelDecoder::requireTarget(int capability, int version) const {
    const Module& module = *kernel_.module;
    if (module.capability() < capability)
        fail("needs .target sm_" + std::to_string(capability) + " or newer, and the module's is " + module.target);
    if (module.versionNumber() < version)
        fail("needs PTX version " + std::to_string(version / 10) + "." + std::to_string(version % 10) + " or newer, and the module's is " +
             module.version);
}

std::vector<ValueId> KernelDecoder::registers(const Operand& operand, size_t count, bool areResults) {
    std::vector<Operand> written = operand.kind == Operand::Kind::Vector ? operand.elements : std::vector{operand};
    if (written.size() != count)
        fail("has " + std::to_string(written.size()) + " registers for " + std::to_string(count));
    std::vector<ValueId> values;
    for (const Operand& element : written)
        values.push_back(areResults ? output(element, Place::Narrow) : input(element, Place::Narrow));
    return values;
}

// mma.sync.aligned.shape.row.col.type.type.type.type d, a, b, c
void KernelDecoder::decodeMultiply() {
    bool isWhole = take("sync") & take("aligned");
    std::string key = opcodeKey();
    const MatrixForm* form = isWhole ? matrixForm(std::string_view(key).substr(4)) : nullptr;
    if (form == nullptr)
        fail("this opcode is not known to the emulator");
    requireTarget(80, 70);
    expectOperands(4, 4);
    std::vector<ValueId> a = registers(operand(1), form->aRegisters, false), b = registers(operand(2), form->bRegisters, false),
                         c = registers(operand(3), 4, false), operands = registers(operand(0), 4, true);
    for (const std::vector<ValueId>& part : {a, b, c})
        operands.insert(operands.end(), part.begin(), part.end());
    emit(form->execute, 4, operands).endsRun = true;
}

// ldmatrix.sync.aligned.m8n8.x4{.trans}{.shared}.b16 r, [p]
void KernelDecoder::decodeMatrixLoad() {
    bool isKnown = take("sync") & take("aligned") & take("m8n8");
    unsigned count = take("x1") ? 1 : take("x2") ? 2 : take("x4") ? 4 : 0;
    bool transposed = take("trans");
    Space space = takeSpace();
    if (!isKnown || count == 0 || opcodeKey() != "ldmatrix.b16" || (space != Space::Shared && space != Space::Generic))
        fail("this opcode is not known to the emulator");
    requireTarget(75, 65);
    expectOperands(2, 2);
    auto [base, isWide] = addressBase(operand(1));
    std::vector<ValueId> operands = registers(operand(0), count, true);
    operands.push_back(base);
    Instruction& i = emit(matrixLoad(count, transposed, isWide), count, operands);
    i.immediate = operand(1).offset;
    i.space = space;
    i.bytes = 16;
    i.touchesMemory = true;
    i.endsRun = true;
}

// cp.async.ca.shared.global [target], [source], size{, sourceSize or predicate}; cp.async.commit_group; cp.async.wait_group n
void KernelDecoder::decodeAsyncCopy() {
    requireTarget(80, 70);
    std::string key = opcodeKey();
    if (key == "cp.async.commit_group" || key == "cp.async.wait_all") {
        expectOperands(0, 0);
        bool waits = key == "cp.async.wait_all";
        emit(waits ? executeAwaitAllCopies : executeCommitCopies, 0, {}).touchesMemory = waits;
        return;
    }
    if (key == "cp.async.wait_group") {
        expectOperands(1, 1);
        if (operand(0).kind != Operand::Kind::Number || operand(0).bits > 1000)
            fail("the number of groups is not a small constant");
        Instruction& i = emit(executeAwaitCopies, 0, {});
        i.immediate = int64_t(operand(0).bits);
        i.touchesMemory = true;
        return;
    }

    takeAny({"L2::64B", "L2::128B", "L2::256B"});
    bool everywhere = take("ca"), onlySecond = take("cg");
    Space from = takeSpace(), to = takeSpace(); // the order of its list, not the written one
    if (opcodeKey() != "cp.async" || everywhere == onlySecond || from != Space::Global || to != Space::Shared)
        fail("this opcode is not known to the emulator");
    expectOperands(3, 4);
    uint64_t bytes = operand(2).kind == Operand::Kind::Number ? operand(2).bits : 0;
    if ((bytes != 4 && bytes != 8 && bytes != 16) || (onlySecond && bytes != 16))
        fail(onlySecond ? "copies 16 bytes, no other number" : "copies 4, 8 or 16 bytes");

    ValueId sourceBytes = constant(bytes, Place::Narrow), zeros = alwaysFalse;
    if (written_.operands.size() == 4) {
        const Operand& last = operand(3);
        if (last.kind == Operand::Kind::Name && sizeOf(last) == Place::Predicate)
            zeros = input(last, Place::Predicate);
        else
            sourceBytes = input(last, Place::Narrow);
    }
    const Operand &target = operand(0), &source = operand(1);
    auto [targetBase, isWide] = addressBase(target);
    auto [sourceBase, isWideSource] = addressBase(source);
    if (!isWideSource)
        fail("the address of the source has 32 bits");
    Instruction& i = emit(asyncCopy(isWide), 0, {targetBase, sourceBase, sourceBytes, zeros});
    i.immediate = int64_t(uint64_t(source.offset) << 32 | uint32_t(target.offset));
    i.space = Space::Global;
    i.bytes = uint8_t(bytes);
    i.touchesMemory = true;
}

} // namespace emulator
