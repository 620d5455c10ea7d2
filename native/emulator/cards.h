// What cards of a compute capability are like: the numbers that programs ask the driver for.
#pragma once

#include <cstddef>

namespace emulator {

struct Card {
    int capability;            // 80 for 8.0; and what is newer, up to the next entry
    int multiprocessors;
    int threads;               // of a multiprocessor
    size_t shared;             // bytes of a multiprocessor
    size_t sharedOptIn;        // bytes that a block may have after cuFuncSetAttribute
    size_t secondLevelCache;   // bytes
    int clock, memoryClock;    // kHz
    int busWidth;              // bits
};

/// The card that the settings' capability stands for.
const Card& card();

} // namespace emulator
