// What a kernel cost, summed over its launches: cost without a card.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace emulator {

struct KernelCounters {
    uint64_t launches = 0;
    uint64_t threadInstructions = 0;
    uint64_t warpInstructions = 0;
    uint64_t bytesRead = 0;         // global memory: the distinct bytes of each warp instruction, summed
    uint64_t bytesWritten = 0;
    uint64_t leastRead = 0;         // distinct bytes over a launch, summed over launches
    uint64_t leastWritten = 0;
    uint64_t sectors = 0;           // 32-byte sectors that the warp instructions touched in global memory
    uint64_t leastSectors = 0;      // the least for their bytes
    uint64_t bankConflicts = 0;     // wavefronts in shared memory beyond the least for the width of the access
    uint64_t divergentBranches = 0;
    uint64_t atomics = 0;           // lanes that did an atomic operation
    uint64_t localBytes = 0;        // read and written in local memory
    uint64_t smallElementBytes = 0; // of bytesRead and bytesWritten, those of elements of 1 or 2 bytes
    uint64_t asyncBytes = 0;        // written to shared memory by cp.async
    uint64_t bfloat16Operations = 0;   // mma, of warps
    uint64_t bfloat16MultiplyAdds = 0; // in them
    uint64_t tf32Operations = 0;
    uint64_t tf32MultiplyAdds = 0;
    uint64_t floatFused = 0;           // float32 fma, of threads: multiply-adds without tensor cores
    uint64_t floatProducts = 0;        // mul, by itself or to be followed by an add
    uint64_t floatSums = 0;            // add and sub

    /// Float32 multiply-adds without tensor cores. A product and a sum may be one: as many as there can be are taken to be.
    uint64_t floatMultiplyAdds() const { return floatFused + std::min(floatProducts, floatSums); }
};

struct Counters {
    std::map<std::string, KernelCounters> kernels; // by name

    /// A JSON array of one object per kernel, sorted by name.
    std::string json() const;
};

} // namespace emulator
