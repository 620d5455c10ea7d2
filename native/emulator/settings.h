// What a user may ask of the emulated device, in the words of one comma list:
//   race,strict,shuffle=7,lazy,count,devices=2,capability=8.0,memory=64M,fail_alloc=12,fail_launch=3,fail_grouped=1,oom_launch=1,
//   oom_module=1,oom_product=1,no_device,old_driver,no_grouped
// It comes from the environment variable TINYMOE_EMULATOR when the library loads, or from tinymoe_emulator_configure (control.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace emulator {

struct Settings {
    // Checks of a kernel's run.
    bool race = false;          // races in shared and global memory, and reads of shared memory that nobody wrote
    bool strict = false;        // barriers and shuffles that not every thread reaches
    uint64_t shuffle = 0; // the seed of the order of blocks and warps; 0: their plain order

    // How the device behaves.
    bool lazy = false;          // a stream's work runs only when somebody waits for it
    bool count = false;         // count instructions, bytes, sectors and bank conflicts of each kernel
    int devices = 1;
    int capability = 80;        // 80 for 8.0: what the card is said to be, and which PTX it takes
    size_t memory = size_t(4) << 30; // bytes of each device

    // Faults. The n-th call since the settings were made fails, the first being 1.
    long failAllocation = -1;   // with "out of memory"
    long failLaunch = -1;       // with "launch failed", when the kernel would have run
    long failGrouped = -1;      // grouped products, with "internal error"
    long oomLaunch = -1;        // a launch, with "out of memory", when it is called; nothing is queued
    long oomModule = -1;        // a load of a module, likewise
    long oomProduct = -1;       // a call for a product, with "alloc failed"; nothing is queued
    bool noDevice = false;      // cuInit finds no device
    bool oldDriver = false;     // a driver of CUDA 10.2, which cannot read our PTX
    bool noGrouped = false;     // a cuBLAS of CUDA 12.0, without grouped products
};

// Reads a comma list into `settings`, which it first puts back to the defaults. Returns what is wrong with the list; empty: nothing.
std::string parseSettings(std::string_view list, Settings& settings);

} // namespace emulator
