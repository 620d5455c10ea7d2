// Races, and reads of shared memory that nobody wrote: what a real device does not tell.
//
// Two accesses to a byte race when different threads make them, one of them writes, not both are atomic, and nothing orders them: no barrier of
// the block between them and, in one warp, no warp-wide instruction (bar.warp.sync, shfl, vote, match). Blocks of a launch are never ordered, so
// what one writes no other may touch. For each byte the last write and who read it since are remembered; barriers are counted, not walked over.
#pragma once

#include "ptx.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace emulator {

class Block;
class Warp;

enum class AccessKind : uint8_t { Read, ReadOnly, Write, Atomic };

class Checks {
public:
    Checks();
    ~Checks();

    void startBlock(const Block& block);
    void passBarrier() { interval_++; }
    void synchronizeWarp(const Warp& warp);

    /// Addresses are offsets in the block's shared memory, or host addresses; each lane accesses Instruction::bytes.
    void shared(const Warp& warp, const Instruction& instruction, const uint64_t* addresses, LaneMask active, AccessKind kind);
    void global(const Warp& warp, const Instruction& instruction, const uint64_t* addresses, LaneMask active, AccessKind kind);

private:
    /// Who accessed a byte last, and when.
    struct Access {
        uint64_t interval = 0;  // between two barriers, of all blocks one after the other; 0: never
        uint64_t warpInterval = 0;
        uint32_t instruction = 0;
        uint16_t warp = 0;
        uint8_t lane = 0;
        bool severalLanes = false;
        bool severalWarps = false;
        bool otherBlocks = false; // some block before did, too
    };

    struct Byte {
        Access write, reads, atomics;
        uint64_t writtenInBlock = 0; // shared memory: the block that wrote it; 0: none did
    };

    struct Page;

    struct Here {
        const Warp& warp;
        const Instruction& instruction;
        int lane;
        AccessKind kind;
        bool inGlobal;
    };

    void check(const Here& here, Byte& byte);
    void require(const Here& here, const Access& before, const char* verb) const;
    void note(const Here& here, Access& access) const;
    uint64_t& warpInterval(const Warp& warp);
    Byte* globalBytes(uint64_t address);

    uint64_t interval_ = 0;      // counts on from block to block
    uint64_t firstInterval_ = 0; // of this block
    uint64_t block_ = 0;         // this block's turn, from 1
    std::vector<uint64_t> warpIntervals_;
    std::vector<Byte> shared_;
    std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_; // of global memory, by their number
    uint64_t lastNumber_ = UINT64_MAX;
    Page* lastPage_ = nullptr;
};

} // namespace emulator
