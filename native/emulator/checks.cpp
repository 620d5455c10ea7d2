#include "checks.h"

#include "interpreter_warp.h"

#include <algorithm>
#include <bit>

namespace emulator {

namespace {

bool isRead(AccessKind kind) {
    return kind != AccessKind::Write && kind != AccessKind::Atomic && kind != AccessKind::AsyncWrite;
}

std::string inOneLine(std::string text) {
    for (size_t at = text.find("\n  "); at != std::string::npos; at = text.find("\n  "))
        text.replace(at, 3, ", ");
    return text;
}

} // namespace

Shadow::Page& Shadow::pageOf(uint64_t offset, size_t bytes) {
    size_t number = offset / pageBytes;
    if (number >= pages_.size())
        pages_.resize(number + 1);
    if (pages_[number] == nullptr) {
        pages_[number] = std::make_unique<Page>();
        pages_[number]->records.resize(pageBytes >> 2);
    }
    Page& page = *pages_[number];
    if (bytes < 4 && page.shift != 0) { // from words to bytes
        std::vector<AccessRecord> records(pageBytes);
        for (size_t n = 0; n < pageBytes; n++)
            records[n] = page.records[n >> page.shift];
        page.records = std::move(records);
        page.shift = 0;
    }
    return page;
}

void Checks::startBlock(const Block& block) {
    Dim3 grid = launch_.launch.grid;
    block_ = block.index.x + uint64_t(grid.x) * (block.index.y + uint64_t(grid.y) * block.index.z);
    warps_.clear();
    warps_.resize(block.warps.size());
    epoch_ = 0;
    firstContext_ = afterBarrier_ = uint32_t(contexts_.size());
    fenced_ = 0;
    acquired_ = false;
}

void Checks::passBarrier() {
    epoch_++;
    afterBarrier_ = uint32_t(contexts_.size());
    for (WarpOrder& order : warps_)
        order.context = 0;
}

void Checks::synchronize(const Warp& warp, LaneMask members) {
    WarpOrder& order = warps_[warp.number];
    order.context = 0;
    order.time++;
    LaneMask live = warp.existing & ~warp.exited;
    if ((live & ~members) == 0) {
        order.allSynchronized = order.time;
        return;
    }
    if (order.seen == nullptr)
        order.seen = std::make_unique<std::array<std::array<uint32_t, 32>, 32>>();
    std::array<uint32_t, 32> together = {};
    for (int lane = 0; lane < warpLanes; lane++)
        if ((members >> lane & 1) != 0) {
            for (int other = 0; other < warpLanes; other++)
                together[other] = std::max(together[other], (*order.seen)[lane][other]);
            together[lane] = order.time;
        }
    for (int lane = 0; lane < warpLanes; lane++)
        if ((members >> lane & 1) != 0)
            (*order.seen)[lane] = together;
}

void Checks::fence() {
    for (WarpOrder& order : warps_)
        order.context = 0;
    fenced_ = uint32_t(contexts_.size());
}

uint32_t Checks::contextOf(const Warp& warp) {
    WarpOrder& order = warps_[warp.number];
    if (order.context == 0) {
        order.context = uint32_t(contexts_.size());
        contexts_.push_back({block_, epoch_, warp.number, order.time});
    }
    return order.context;
}

bool Checks::comesBefore(const Context& earlier, int earlierLane, const Warp& warp, int lane) const {
    if (earlier.block != block_) {
        auto published = released_.find(earlier.block);
        return acquired_ && published != released_.end() && &earlier - contexts_.data() < published->second;
    }
    if (earlier.epoch < epoch_)
        return true;
    if (earlier.warp != warp.number)
        return false;
    const WarpOrder& order = warps_[warp.number];
    return earlierLane == lane || earlier.time < order.allSynchronized
        || (order.seen != nullptr && earlier.time < (*order.seen)[lane][earlierLane]);
}

// The common case, which needs no look at contexts.
bool Checks::isHarmless(const AccessRecord& record, AccessKind kind) const {
    if (kind == AccessKind::ReadOnly || !isPast(record.writer))
        return false;
    return isRead(kind) || record.readers == AccessRecord::Readers::None
        || (record.readers != AccessRecord::Readers::ManyBlocks && isPast(record.reader));
}

void Checks::check(const AccessRecord& record, const Warp& warp, const Instruction& i, int lane, AccessKind kind, bool isShared) const {
    if (isHarmless(record, kind))
        return;
    uint32_t oldest = isShared ? firstContext_ : 1; // shared memory is fresh in each block
    if (record.writer >= oldest) {
        const Context& writer = contexts_[record.writer];
        if (!(record.atomic && (kind == AccessKind::Atomic || kind == AccessKind::AtomicRead)) &&
            !comesBefore(writer, record.writeLane, warp, lane))
            failRace(warp, i, lane, kind, writer, record.writeLane, record.writeIndex, false, isShared);
        if (kind == AccessKind::ReadOnly)
            warp.fail(i, lane, errorLaunchFailed, "reads by ld.global.nc, which memory must be constant for, what this launch writes: "
                + inOneLine(warp.where(launch_.kernel.instructions[record.writeIndex], lane)));
    } else if (isShared && (isRead(kind) || kind == AccessKind::Atomic)) {
        warp.fail(i, lane, errorLaunchFailed, "reads shared memory that nobody wrote in this block");
    }

    if (isRead(kind) || record.readers == AccessRecord::Readers::None || record.reader < oldest)
        return;
    const Context& reader = contexts_[record.reader];
    bool others = record.readers == AccessRecord::Readers::ManyBlocks ? !acquired_
        : record.readers == AccessRecord::Readers::ManyWarps && reader.block == block_ ? reader.epoch == epoch_ : false;
    for (LaneMask rest = record.readLanes; rest != 0; rest &= rest - 1)
        if (int other = std::countr_zero(rest); others || !comesBefore(reader, other, warp, lane))
            failRace(warp, i, lane, kind, reader, other, record.readIndex, true, isShared);
}

void Checks::note(AccessRecord& record, const Warp& warp, const Instruction& i, int lane, AccessKind kind) const {
    using Readers = AccessRecord::Readers;
    uint32_t now = warps_[warp.number].context;
    if (!isRead(kind)) {
        record.writer = now;
        record.writeIndex = i.index;
        record.writeLane = uint8_t(lane);
        record.atomic = kind == AccessKind::Atomic;
        record.readers = Readers::None;
        return;
    }
    if (kind == AccessKind::AtomicRead)
        return;
    LaneMask lanes = LaneMask(1) << lane;
    if (record.readers == Readers::OneWarp && record.reader == now) {
        record.readLanes |= lanes;
        return;
    }
    const Context& reader = contexts_[record.reader];
    bool sameBlock = record.readers != Readers::None && reader.block == block_;
    if (record.readers != Readers::None && (record.readers == Readers::ManyBlocks || !sameBlock))
        record.readers = Readers::ManyBlocks;
    else if (sameBlock && reader.epoch == epoch_ && (record.readers == Readers::ManyWarps || reader.warp != warp.number))
        record.readers = Readers::ManyWarps;
    else {
        // The same warp later: lanes that read before count too, unless an operation of all lanes lies between.
        bool stillCounts = sameBlock && reader.epoch == epoch_ && reader.time >= warps_[warp.number].allSynchronized;
        lanes |= stillCounts ? record.readLanes : 0;
        record.readers = Readers::OneWarp;
    }
    record.reader = now;
    record.readIndex = i.index;
    record.readLanes = lanes;
}

void Checks::shared(const Warp& warp, const Instruction& i, const uint64_t* offsets, LaneMask active, AccessKind kind) {
    if (kind == AccessKind::MatrixRead)
        return matrixRows(warp, i, offsets, active);
    contextOf(warp);
    auto each = [&](auto visit) {
        for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
            int lane = std::countr_zero(rest);
            shared_.each(offsets[lane], i.bytes, [&](AccessRecord& record) { visit(record, lane); });
        }
    };
    each([&](AccessRecord& record, int lane) {
        if (record.reader < firstContext_)
            record.readers = AccessRecord::Readers::None; // of a block before
        if (record.underWay)
            failUnderWay(warp, i, lane, offsets[lane], kind);
        check(record, warp, i, lane, kind, true);
        if (isRead(kind))
            note(record, warp, i, lane, kind);
    });
    if (kind == AccessKind::AsyncWrite)
        each([&](AccessRecord& record, int lane) {
            if (record.underWay) // a lane of this very instruction copies to the same place
                failUnderWay(warp, i, lane, offsets[lane], kind);
            record.underWay = true;
        });
    else if (!isRead(kind)) // only now: the lanes of one instruction do not race with each other
        each([&](AccessRecord& record, int lane) { note(record, warp, i, lane, kind); });
}

// A row of a matrix goes to four lanes, 4 bytes each, whichever lane gave its address: these read it. (With .trans other lanes get it,
// but as many of them.)
void Checks::matrixRows(const Warp& warp, const Instruction& i, const uint64_t* offsets, LaneMask active) {
    Instruction quarter = i;
    quarter.bytes = 4;
    for (int first = 0; first < warpLanes && (active >> first & 1) != 0; first += 8) {
        uint64_t parts[warpLanes];
        for (int lane = 0; lane < warpLanes; lane++)
            parts[lane] = offsets[first + lane / 4] + uint64_t(lane % 4) * 4;
        shared(warp, quarter, parts, allLanes, AccessKind::Read);
    }
}

void Checks::finishCopy(const Warp& warp, const Instruction& i, uint64_t offset, int lane) {
    contextOf(warp);
    shared_.each(offset, i.bytes, [&](AccessRecord& record) {
        record.underWay = false;
        note(record, warp, i, lane, AccessKind::Write);
    });
}

void Checks::failUnderWay(const Warp& warp, const Instruction& i, int lane, uint64_t offset, AccessKind kind) const {
    std::string what = isRead(kind) ? "reads" : "writes";
    what += " shared memory that a cp.async is still to write: ";
    for (const Warp& other : warp.block.warps)
        for (const AsyncCopies& copies : other.copies)
            for (LaneMask rest = copies.lanes; rest != 0; rest &= rest - 1) {
                int of = std::countr_zero(rest);
                const Instruction& copy = launch_.kernel.instructions[copies.instruction];
                if (copies.targets[of] >= offset + i.bytes || offset >= copies.targets[of] + copy.bytes)
                    continue;
                what += copies.groups[of] == other.committed[of] ? "no commit_group came after it" : "no wait_group has let its group end";
                warp.fail(i, lane, errorLaunchFailed, what + "; it is of " + inOneLine(other.where(copy, of)));
            }
    warp.fail(i, lane, errorLaunchFailed, what + "another lane of its own instruction");
}

void Checks::global(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    if (kind == AccessKind::Atomic) {
        if (fenced_ != 0)
            released_[block_] = fenced_;
        acquired_ = true;
    }
    contextOf(warp);
    const Allocation* allocation = nullptr;
    Shadow* shadow = nullptr;
    auto each = [&](auto visit) {
        for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
            int lane = std::countr_zero(rest);
            if (allocation == nullptr || !allocation->contains(addresses[lane], i.bytes)) {
                allocation = launch_.find(addresses[lane]);
                shadow = &global_[allocation];
            }
            shadow->each(addresses[lane] - allocation->address, i.bytes, [&](AccessRecord& record) { visit(record, lane); });
        }
    };
    each([&](AccessRecord& record, int lane) {
        check(record, warp, i, lane, kind, false);
        if (isRead(kind))
            note(record, warp, i, lane, kind);
    });
    if (!isRead(kind))
        each([&](AccessRecord& record, int lane) { note(record, warp, i, lane, kind); });
}

void Checks::failRace(const Warp& warp, const Instruction& i, int lane, AccessKind kind, const Context& other, int otherLane,
                      uint32_t otherIndex, bool otherReads, bool isShared) const {
    Dim3 grid = launch_.launch.grid;
    std::string what = kind == AccessKind::Atomic ? "updates" : isRead(kind) ? "reads" : "writes";
    what += isShared ? " shared" : " global";
    what += std::string(" memory that another ") + (other.block == block_ ? "thread " : "block ") + (otherReads ? "reads" : "writes");
    what += ", with nothing to order the two: a race with ";
    what += inOneLine(
        warp.where(launch_.kernel.instructions[otherIndex],
                   {uint32_t(other.block % grid.x), uint32_t(other.block / grid.x % grid.y), uint32_t(other.block / grid.x / grid.y)},
                   other.warp, otherLane));
    warp.fail(i, lane, errorLaunchFailed, what);
}

} // namespace emulator
