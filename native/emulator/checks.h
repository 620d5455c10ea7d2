// Finds races: two threads touch the same bytes, at least one writes, and nothing says which of them comes first. Also reads of shared
// memory that nobody wrote. What orders two accesses: the same thread; a barrier of the block between them; for lanes of one warp an
// operation in which both take part (shfl.sync, bar.warp.sync, ...); for two blocks a fence and an atomic operation after the first access,
// and an atomic operation before the second.
#pragma once

#include "ptx.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace emulator {

class Block;
struct LaunchState;

/// ReadOnly: ld.global.nc. AtomicRead: a volatile, relaxed or acquiring load, which may meet atomic operations of others. MatrixRead:
/// ldmatrix, 16 bytes per address. AsyncWrite: cp.async begins, and will write when it is waited for.
enum class AccessKind : uint8_t { Read, ReadOnly, AtomicRead, MatrixRead, Write, Atomic, AsyncWrite };

/// When lanes of a warp did something: between two operations that order them with others. Contexts have numbers in the order of time.
struct Context {
    uint64_t block = 0;
    uint32_t epoch = 0; // barriers that the block had passed
    uint32_t warp = 0;
    uint32_t time = 0;  // warp operations that the warp had done
};

/// Who last wrote some bytes, and who read them since.
struct AccessRecord {
    enum class Readers : uint8_t { None, OneWarp, ManyWarps, ManyBlocks };
    uint32_t writer = 0;        // number of a context; 0: nobody
    uint32_t writeIndex = 0;    // of the instruction
    uint32_t reader = 0;
    uint32_t readIndex = 0;
    LaneMask readLanes = 0;
    uint8_t writeLane = 0;
    bool atomic = false;        // the write
    bool underWay = false;      // a cp.async is still to write here
    Readers readers = Readers::None;
};

/// The records of a range of memory, made where it is touched: one for 4 bytes, or for one byte where smaller accesses came.
class Shadow {
public:
    /// Calls visit(record) for each record of the bytes.
    template <class Visit> void each(uint64_t offset, size_t bytes, Visit visit) {
        Page& page = pageOf(offset, bytes);
        size_t within = offset % pageBytes;
        for (size_t n = within >> page.shift; n <= (within + bytes - 1) >> page.shift; n++)
            visit(page.records[n]);
    }

private:
    static constexpr size_t pageBytes = 1024;
    struct Page {
        std::vector<AccessRecord> records;
        int shift = 2;
    };
    Page& pageOf(uint64_t offset, size_t bytes);

    std::vector<std::unique_ptr<Page>> pages_;
};

class Checks {
public:
    explicit Checks(const LaunchState& launch) : launch_(launch) {}
    void startBlock(const Block& block);
    void passBarrier();
    void synchronize(const Warp& warp, LaneMask members);
    void fence();
    void shared(const Warp& warp, const Instruction& i, const uint64_t* offsets, LaneMask active, AccessKind kind);
    void global(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind);
    /// The copy that a lane began with `i`, a cp.async, writes now.
    void finishCopy(const Warp& warp, const Instruction& i, uint64_t offset, int lane);

private:
    struct WarpOrder {
        uint32_t context = 0; // 0: a new one is needed
        uint32_t time = 1;
        uint32_t allSynchronized = 0; // accesses at a time before this come before all later ones of the warp
        std::unique_ptr<std::array<std::array<uint32_t, 32>, 32>> seen; // by lane: what it knows of the others, where not all took part
    };

    uint32_t contextOf(const Warp& warp);
    bool comesBefore(const Context& earlier, int earlierLane, const Warp& warp, int lane) const;
    /// Of this block, before its last barrier: that comes before everything from now on.
    bool isPast(uint32_t context) const { return context - firstContext_ < afterBarrier_ - firstContext_; }
    void matrixRows(const Warp& warp, const Instruction& i, const uint64_t* offsets, LaneMask active);
    bool isHarmless(const AccessRecord& record, AccessKind kind) const;
    void check(const AccessRecord& record, const Warp& warp, const Instruction& i, int lane, AccessKind kind, bool isShared) const;
    void note(AccessRecord& record, const Warp& warp, const Instruction& i, int lane, AccessKind kind) const;
    [[noreturn]] void failUnderWay(const Warp& warp, const Instruction& i, int lane, uint64_t offset, AccessKind kind) const;
    [[noreturn]] void failRace(const Warp& warp, const Instruction& i, int lane, AccessKind kind, const Context& other, int otherLane,
        uint32_t otherIndex, bool otherReads, bool isShared) const;

    const LaunchState& launch_;
    std::vector<Context> contexts_ = {Context()};
    std::vector<WarpOrder> warps_; // of the running block
    uint64_t block_ = 0;
    uint32_t epoch_ = 0;
    uint32_t firstContext_ = 0;    // of the block
    uint32_t afterBarrier_ = 0;    // the first context of the block behind its last barrier
    uint32_t fenced_ = 0;          // contexts of the block before this one are behind a fence
    bool acquired_ = false;        // the block has done an atomic operation on global memory
    // By block: its contexts before this one were published by a fence and an atomic operation.
    std::unordered_map<uint64_t, uint32_t> released_;
    Shadow shared_;
    std::map<const Allocation*, Shadow> global_;
};

} // namespace emulator
