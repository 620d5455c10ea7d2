// Decodes jumps, barriers and warp operations, and finds where runs of instructions end.
#include "interpreter_control.h"
#include "ptx_decoder.h"

namespace emulator {

void KernelDecoder::defineLabel(const std::string& name) {
    labels_[name] = uint32_t(kernel_.instructions.size());
    lastLabel_ = name;
}

void KernelDecoder::defineTable(std::vector<std::string> labels) {
    tableNames_[lastLabel_] = uint32_t(tables_.size());
    tables_.push_back(std::move(labels));
}

void KernelDecoder::decodeBranch(bool indexed) {
    take("uni");
    if (!indexed) {
        expectOperands(1, 1);
        Instruction& i = emit(executeBranch, 0, {});
        i.endsRun = true;
        jumps_.push_back({i.index, std::string(operand(0).name), written_.line});
        return;
    }
    expectOperands(2, 2);
    auto table = tableNames_.find(std::string(operand(1).name));
    if (table == tableNames_.end())
        fail("'" + std::string(operand(1).name) + "' is not a table of labels");
    ValueId index = input(operand(0), Place::Narrow);
    Instruction& i = emit(executeIndexedBranch, 0, {index});
    i.immediate = table->second;
    i.endsRun = true;
}

// bar.sync a{, b}; bar.arrive a, b; bar.red.op.type d, a{, b}, p.
void KernelDecoder::decodeBarrier() {
    take("aligned");
    take("cta");
    std::string_view what = written_.opcode.size() > 1 ? written_.opcode[1] : "";
    ValueId all = constant(0, Place::Narrow);
    if (what == "sync" || what == "arrive") {
        expectOperands(1, 2);
        ValueId number = input(operand(0), Place::Narrow);
        ValueId count = written_.operands.size() == 2 ? input(operand(1), Place::Narrow) : all;
        emit(barrier(what == "sync" ? BarrierKind::Sync : BarrierKind::Arrive), 0, {all, number, count, alwaysFalse}).endsRun = true;
        return;
    }
    if (what != "red" || written_.opcode.size() != 4)
        fail("this opcode is not known to the emulator");
    expectOperands(3, 4);
    std::string_view operation = written_.opcode[2];
    BarrierKind kind = operation == "popc" ? BarrierKind::CountTrue : operation == "and" ? BarrierKind::AllTrue : BarrierKind::AnyTrue;
    ValueId number = input(operand(1), Place::Narrow);
    ValueId count = written_.operands.size() == 4 ? input(operand(2), Place::Narrow) : all;
    ValueId predicate = input(written_.operands.back(), Place::Predicate);
    ValueId result = output(operand(0), kind == BarrierKind::CountTrue ? Place::Narrow : Place::Predicate);
    emit(barrier(kind), 1, {result, number, count, predicate}).endsRun = true;
}

void KernelDecoder::decodeWarpOperation() {
    std::string key = opcodeKey();
    auto narrow = [&](size_t n) { return input(operand(n), Place::Narrow); };
    auto finish = [&](Execute execute, size_t results, const std::vector<ValueId>& operands) {
        emit(execute, results, operands).endsRun = true;
    };
    // d|p: the predicate may be left out.
    size_t extra = written_.paired ? 1 : 0;
    auto second = [&] { return written_.paired ? output(operand(1), Place::Predicate) : sparePredicate; };

    if (key == "bar.warp.sync") {
        expectOperands(1, 1);
        return finish(executeWarpSync, 0, {narrow(0)});
    }
    if (key == "activemask.b32")
        return finish(executeActiveMask, 1, {output(operand(0), Place::Narrow)});
    for (auto [mode, kind] :
         {std::pair{"up", ShuffleKind::Up}, {"down", ShuffleKind::Down}, {"bfly", ShuffleKind::Butterfly}, {"idx", ShuffleKind::Index}})
        if (key == "shfl.sync." + std::string(mode) + ".b32") {
            expectOperands(5 + extra, 5 + extra);
            ValueId value = narrow(1 + extra), by = narrow(2 + extra), clamp = narrow(3 + extra), members = narrow(4 + extra);
            return finish(shuffle(kind), 2, {output(operand(0), Place::Narrow), second(), value, by, clamp, members});
        }
    for (auto [mode, kind] : {std::pair{"all.pred", VoteKind::All},
                              {"any.pred", VoteKind::Any},
                              {"uni.pred", VoteKind::Uniform},
                              {"ballot.b32", VoteKind::Ballot}})
        if (key == "vote.sync." + std::string(mode)) {
            expectOperands(3, 3);
            ValueId predicate = input(operand(1), Place::Predicate), members = narrow(2);
            return finish(vote(kind), 1,
                          {output(operand(0), kind == VoteKind::Ballot ? Place::Narrow : Place::Predicate), predicate, members});
        }
    for (bool all : {false, true})
        for (bool wide : {false, true})
            if (key == std::string("match.") + (all ? "all" : "any") + ".sync." + (wide ? "b64" : "b32")) {
                expectOperands(3 + extra, 3 + extra);
                ValueId value = input(operand(1 + extra), wide ? Place::Wide : Place::Narrow), members = narrow(2 + extra);
                return finish(match(all, wide), 2, {output(operand(0), Place::Narrow), second(), value, members});
            }
    fail("this opcode is not known to the emulator");
}

// Labels become numbers, and runs of instructions that follow each other without a jump in or out are marked.
void KernelDecoder::finishControlFlow() {
    written_ = {};
    written_.opcodeText = "ret";
    guard_ = alwaysTrue;
    guardFlip_ = 0;
    emit(executeExit, 0, {}).endsRun = true; // where a kernel falls off its end

    auto target = [&](const std::string& label, uint32_t line) {
        auto found = labels_.find(label);
        if (found == labels_.end())
            throw PtxError("PTX line " + std::to_string(line) + ", kernel " + kernel_.name + ": there is no label '" + label + "'");
        return found->second;
    };
    std::vector<Instruction>& code = kernel_.instructions;
    std::vector<bool> jumpedTo(code.size() + 1);
    for (const auto& [name, index] : labels_)
        jumpedTo[index] = true;
    for (const Jump& jump : jumps_)
        code[jump.instruction].immediate = target(jump.label, jump.line);
    for (const std::vector<std::string>& table : tables_) {
        std::vector<uint32_t>& targets = kernel_.branchTables.emplace_back();
        for (const std::string& label : table)
            targets.push_back(target(label, 0));
    }
    std::array<uint32_t, 3> before = {};
    for (const Instruction& i : code) {
        kernel_.arithmetic.push_back(before);
        if (i.arithmetic != Arithmetic::Other)
            before[size_t(i.arithmetic) - 1]++;
    }
    kernel_.arithmetic.push_back(before);
    for (size_t n = code.size(); n-- > 0;)
        code[n].runEnd = code[n].endsRun || jumpedTo[n + 1] ? uint32_t(n + 1) : code[n + 1].runEnd;
}

} // namespace emulator
