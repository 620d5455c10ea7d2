// Runs one launch of a kernel on the CPU, under checks.
#pragma once

#include "counters.h"
#include "memory.h"
#include "ptx.h"
#include "settings.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator {

struct Dim3 {
    uint32_t x = 1, y = 1, z = 1;
    uint64_t count() const { return uint64_t(x) * y * z; }
};

struct Launch {
    const Kernel* kernel = nullptr;
    Dim3 grid, block;
    uint32_t dynamicShared = 0;
    std::vector<std::byte> parameters; // packed by the offsets of Kernel::parameters
};

/// What a launch did wrong: the CUresult that a real device would give, or the nearest, and a text of a few lines.
struct Finding {
    int cudaError = 0;
    std::string text;
};

/// Runs all blocks of the launch; the first finding ends it. `counters` may be null.
std::optional<Finding> run(const Launch& launch, DeviceMemory& memory, const Settings& settings, Counters* counters);

} // namespace emulator
