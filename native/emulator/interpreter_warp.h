// The state of a launch while it runs: blocks one after the other, and the warps of a block in turns.
#pragma once

#include "checks.h"
#include "interpreter.h"
#include "traffic.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace emulator {

inline constexpr int warpLanes = 32;
inline constexpr LaneMask allLanes = ~LaneMask(0);

// CUresult values of what a kernel can do wrong.
inline constexpr int errorIllegalAddress = 700;
inline constexpr int errorTimeout = 702;
inline constexpr int errorMisalignedAddress = 716;
inline constexpr int errorLaunchFailed = 719;

// Generic addresses: shared and local memory are windows far from all host addresses; everything else is global memory.
inline constexpr uint64_t sharedWindow = uint64_t(1) << 56;
inline constexpr uint64_t localWindow = uint64_t(2) << 56;
inline constexpr uint64_t windowMask = uint64_t(0xFF) << 56;

/// Thrown where a kernel does wrong; `run` makes a Finding of it.
struct Fault {
    Finding finding;
};

class Block;

/// What all blocks of a launch share.
struct LaunchState {
    LaunchState(const Launch& l, DeviceMemory& m, const Settings& s) : launch(l), kernel(*l.kernel), memory(m), settings(s) {}

    const Launch& launch;
    const Kernel& kernel;
    DeviceMemory& memory;
    const Settings& settings;
    KernelCounters* counters = nullptr; // null: not counted
    Checks* checks = nullptr;           // null: no race checks
    Traffic* traffic = nullptr;         // with counters: which bytes were touched
    std::vector<const Allocation*> allocations; // by instruction: where its last access went
    uint64_t random = 0;                // state of the shuffle; 0: the plain order

    /// The live allocation or module variable that contains the address, or null.
    const Allocation* find(uint64_t address) const;
    uint64_t nextRandom();
};

/// Lanes of a warp at one place of the program.
struct Group {
    enum class Wait : uint8_t { None, Lanes, Barrier };
    uint32_t pc = 0;
    LaneMask lanes = 0;
    Wait wait = Wait::None; // for the other lanes of a warp operation, or at a barrier
    uint32_t barrier = 0;   // the number of that barrier
};

/// Copies by cp.async of one instruction that no wait has ended yet. They are done when their thread waits for them, as late as a card may.
struct AsyncCopies {
    uint32_t instruction = 0;
    LaneMask lanes = 0;                            // whose copies are under way
    std::array<uint32_t, warpLanes> targets;       // offsets in shared memory
    std::array<uint64_t, warpLanes> sources;
    std::array<uint8_t, warpLanes> sourceBytes;    // the rest of the copy is zeros
    std::array<uint32_t, warpLanes> groups;        // numbers of commit groups
    std::array<std::array<std::byte, 16>, warpLanes> before; // under `race`: what the sources held when the copies began
};

class Warp {
public:
    enum class Stop : uint8_t { Waits, Yields, Done };

    Warp(Block& block, uint32_t number);
    void start(); // at the first instruction of a block
    Stop run();   // until all its lanes wait or have exited, or it is another warp's turn

    // Registers
    template <class T> T* lanesOf(uint32_t place) { return std::assume_aligned<64>(reinterpret_cast<T*>(registers + place)); }
    LaneMask predicate(uint32_t number) const { return predicates[number]; }
    void setPredicate(uint32_t number, LaneMask value, LaneMask active) {
        predicates[number] = (predicates[number] & ~active) | (value & active);
    }

    // Control flow, for the running lanes
    void jump(uint32_t target, LaneMask taken);
    void exit(LaneMask leaving);
    void split(const Instruction& instruction, LaneMask stay); // the other lanes go on behind the instruction
    void waitAtBarrier(const Instruction& instruction, uint32_t barrier);

    /// Whether all of `members` that still run are here; else the running lanes wait for them and do the instruction again.
    bool gather(const Instruction& instruction, LaneMask members, LaneMask active);

    /// The same for an operation of a whole warp (.sync.aligned): a Fault where some of the 32 lanes can never come.
    bool gatherAll(const Instruction& instruction, LaneMask active);

    /// Does the copies by cp.async of these lanes, but for the last `leave` groups that each has committed.
    void finishCopies(const Instruction& instruction, LaneMask lanes, uint32_t leave);

    /// Turns the addresses of the active lanes into host addresses, or throws a Fault.
    void resolve(const Instruction& instruction, uint64_t* addresses, LaneMask active, AccessKind kind);

    /// The host address of a piece of memory that all lanes use together, in the usual case: inside one allocation, aligned, and nothing is
    /// checked or counted beyond that. 0: ask `resolve`.
    uint64_t resolvePiece(const Instruction& instruction, uint64_t first, uint64_t bytes);

    [[noreturn]] void fail(const Instruction& instruction, int lane, int error, const std::string& what) const;
    std::string where(const Instruction& instruction, int lane) const;
    std::string where(const Instruction& instruction, Dim3 blockIndex, uint32_t warpNumber, int lane) const;

    Block& block;
    LaunchState& launch;
    std::byte* registers = nullptr;
    std::vector<LaneMask> predicates;
    uint32_t number;             // of the warp in its block
    LaneMask existing = 0;       // lanes that are threads of the block
    LaneMask exited = 0;
    uint32_t pc = 0;             // of the running group
    LaneMask running = 0;
    std::vector<Group> groups;   // the other lanes
    std::vector<AsyncCopies> copies;              // under way, in their order
    std::array<uint32_t, warpLanes> committed{};  // commit groups, by lane

private:
    void fillSpecial(const SpecialRegister& special);
    template <bool shuffled> Stop runGroups();
    bool behindOthers() const;
    bool pickGroup();
    void park(Group group);

    std::unique_ptr<std::byte[]> file_;
    uint64_t yieldIn_ = 1; // memory instructions until another warp has its turn (shuffled order)
};

struct Barrier {
    uint32_t arrived = 0;  // threads
    uint32_t expected = 0; // 0: all threads of the block
    uint32_t holds = 0;    // bar.red: threads whose predicate was true
};

class Block {
public:
    explicit Block(LaunchState& launch);
    void run(Dim3 index);

    /// The running lanes of a warp arrive at a barrier. `holds` counts for bar.red.
    void arrive(Warp& warp, const Instruction& instruction, uint32_t barrier, uint32_t expected, LaneMask holds, LaneMask lanes,
                bool waits);
    void threadsExited(Warp& warp, const Instruction& instruction, LaneMask lanes);
    std::byte* localOf(const Warp& warp, int lane) {
        return local.data() + (size_t(warp.number) * warpLanes + lane) * launch.kernel.localBytes;
    }
    Dim3 threadAt(uint32_t warpNumber, int lane) const;
    uint64_t clock() const { return spent_; }
    void spend(const Warp& warp, const Instruction& first);

    LaunchState& launch;
    Dim3 index;
    uint32_t threads;
    uint32_t liveThreads = 0;
    std::vector<std::byte> shared, local;
    std::vector<Warp> warps;
    std::array<Barrier, 16> barriers;

private:
    void releaseIfComplete(uint32_t barrier, const Warp& last, const Instruction& instruction);
    void finishBarrier(Warp& warp, Group& group, const Barrier& barrier);
    void checkStrictly(uint32_t barrier, const Warp& last, const Instruction& instruction) const;
    [[noreturn]] void failDeadlocked() const;
    bool runTurns();

    uint64_t spent_ = 0; // warp instructions of this block
};

} // namespace emulator
