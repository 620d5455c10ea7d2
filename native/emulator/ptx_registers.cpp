// Places in the register file. A lane writes only its own part of a register, so what holds for one thread holds for a warp whose lanes
// have parted: two values can share a place when no way through the program needs both at once.
#include "interpreter_control.h"
#include "ptx_decoder.h"

#include <algorithm>
#include <bit>

namespace emulator {

namespace {

/// A set of values, as bits.
class ValueSet {
public:
    explicit ValueSet(size_t size) : words_((size + 63) / 64) {}
    void add(ValueId value) { words_[value / 64] |= uint64_t(1) << value % 64; }
    void remove(ValueId value) { words_[value / 64] &= ~(uint64_t(1) << value % 64); }

    void join(const ValueSet& other) {
        for (size_t n = 0; n < words_.size(); n++)
            words_[n] |= other.words_[n];
    }

    template <class Visit> void each(Visit visit) const {
        for (size_t n = 0; n < words_.size(); n++)
            for (uint64_t rest = words_[n]; rest != 0; rest &= rest - 1)
                visit(ValueId(n * 64 + size_t(std::countr_zero(rest))));
    }

    bool operator==(const ValueSet&) const = default;

private:
    std::vector<uint64_t> words_;
};

// The instructions that may follow one that ends a run.
std::vector<uint32_t> followers(const Kernel& kernel, const Instruction& i) {
    std::vector<uint32_t> result;
    if (i.execute == executeBranch)
        result = {uint32_t(i.immediate)};
    else if (i.execute == executeIndexedBranch)
        result = kernel.branchTables[size_t(i.immediate)];
    bool leaves = i.guard == 0 && (i.execute == executeBranch || i.execute == executeIndexedBranch || i.execute == executeExit);
    if (!leaves && i.index + 1 < kernel.instructions.size())
        result.push_back(i.index + 1);
    return result;
}

struct Run { // instructions that follow each other without a jump in or out
    uint32_t first = 0, end = 0;
    std::vector<size_t> next; // runs that may follow
    ValueSet liveBefore;
};

} // namespace

uint32_t* KernelDecoder::operandsOf(uint32_t n) {
    Instruction& i = kernel_.instructions[n];
    return operandCounts_[n].all <= i.operands.size() ? i.operands.data() : kernel_.operandLists[size_t(i.immediate)].data();
}

std::vector<KernelDecoder::LifeSpan> KernelDecoder::findLifeSpans() {
    const std::vector<Instruction>& code = kernel_.instructions;
    std::vector<Run> runs;
    std::vector<size_t> runOf(code.size() + 1);
    for (uint32_t n = 0; n < code.size(); n = code[n].runEnd) {
        runOf[n] = runs.size();
        runs.push_back({n, code[n].runEnd, {}, ValueSet(values_.size())});
    }
    for (Run& run : runs)
        for (uint32_t next : followers(kernel_, code[run.end - 1]))
            run.next.push_back(runOf[next]);

    // From the end to the start: a value is live before its uses, and not before an instruction that gives it to every lane.
    auto liveAfter = [&](const Run& run) {
        ValueSet live(values_.size());
        for (size_t next : run.next)
            live.join(runs[next].liveBefore);
        return live;
    };
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t r = runs.size(); r-- > 0;) {
            ValueSet live = liveAfter(runs[r]);
            for (uint32_t n = runs[r].end; n-- > runs[r].first;) {
                const OperandCount& count = operandCounts_[n];
                const uint32_t* operands = operandsOf(n);
                for (size_t k = 0; k < count.results; k++)
                    if ((operands[k] & predicateMark) == 0 && code[n].guard == 0)
                        live.remove(operands[k]);
                for (size_t k = count.results; k < count.all; k++)
                    if ((operands[k] & predicateMark) == 0)
                        live.add(operands[k]);
            }
            if (!(live == runs[r].liveBefore)) {
                runs[r].liveBefore = std::move(live);
                changed = true;
            }
        }
    }

    std::vector<LifeSpan> spans(values_.size());
    auto touch = [&](ValueId value, uint32_t at) {
        spans[value].first = std::min(spans[value].first, at);
        spans[value].last = std::max(spans[value].last, at);
    };
    for (const Run& run : runs) {
        run.liveBefore.each([&](ValueId value) { touch(value, run.first); });
        liveAfter(run).each([&](ValueId value) { touch(value, run.end - 1); });
        for (uint32_t n = run.first; n < run.end; n++)
            for (size_t k = 0; k < operandCounts_[n].all; k++)
                if (ValueId value = operandsOf(n)[k]; (value & predicateMark) == 0)
                    touch(value, n);
    }
    return spans;
}

// Linear scan (Poletto and Sarkar 1999) without spilling: there are as many places as it takes.
void KernelDecoder::placeValues() {
    std::vector<LifeSpan> spans = findLifeSpans();
    std::vector<ValueId> order(values_.size());
    for (ValueId value = 0; value < order.size(); value++) {
        order[value] = value;
        if (values_[value].stays)
            spans[value] = {0, noValue};
    }
    std::stable_sort(order.begin(), order.end(), [&](ValueId a, ValueId b) { return spans[a].first < spans[b].first; });

    std::vector<uint32_t> places(values_.size());
    auto endsLater = [&](ValueId a, ValueId b) { return spans[a].last > spans[b].last; };
    for (Place size : {Place::Wide, Place::Narrow}) { // the wide ones first: all places stay aligned
        std::vector<uint32_t> free;
        std::vector<ValueId> live; // a heap: the one that ends first is at the front
        for (ValueId value : order) {
            if (values_[value].place != size || spans[value].first == noValue)
                continue;
            while (!live.empty() && spans[live.front()].last < spans[value].first) {
                free.push_back(places[live.front()]);
                std::pop_heap(live.begin(), live.end(), endsLater);
                live.pop_back();
            }
            if (free.empty()) {
                free.push_back(uint32_t(kernel_.registerBytes));
                kernel_.registerBytes += warpLanes * (size == Place::Wide ? 8 : 4);
            }
            places[value] = free.back();
            free.pop_back();
            live.push_back(value);
            std::push_heap(live.begin(), live.end(), endsLater);
        }
    }

    for (uint32_t n = 0; n < kernel_.instructions.size(); n++)
        for (size_t k = 0; k < operandCounts_[n].all; k++) {
            uint32_t& operand = operandsOf(n)[k];
            operand = (operand & predicateMark) != 0 ? operand & ~predicateMark : places[operand];
        }
    for (Constant& constant : kernel_.constants)
        constant.place = places[constant.place];
    for (SpecialRegister& special : kernel_.specialRegisters)
        special.place = places[special.place];
}

} // namespace emulator
