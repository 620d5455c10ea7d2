// The memory of one emulated device. A device address is the host address of memory allocated here, so a copy is a
// memcpy; but an address counts only while it lies inside a live allocation, which `find` tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace emulator {

struct Allocation {
    uint64_t address = 0;
    size_t bytes = 0;
    uint64_t number = 0; // 1 for the first allocation of the device

    bool contains(uint64_t first, size_t count) const {
        return first >= address && count <= bytes && first - address <= bytes - count;
    }
};

class DeviceMemory {
public:
    explicit DeviceMemory(size_t capacity) : capacity_(capacity) {}
    ~DeviceMemory();
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    /// A fresh allocation filled with 0xCB, aligned to 256 bytes; 0 where it would pass the capacity or has no bytes.
    uint64_t allocate(size_t bytes);

    /// Ends an allocation; false where `address` is not the start of a live one.
    bool release(uint64_t address);

    /// The live allocation that contains the address, or null. The pointer is good until that allocation is released.
    const Allocation* find(uint64_t address) const;

    /// Whether all of [address, address + bytes) lies in one live allocation.
    bool holds(uint64_t address, size_t bytes) const;

    /// Where an address lies, for messages: "4 bytes past the end of the allocation of 1024 bytes at 0x...".
    std::string describe(uint64_t address) const;

    size_t used() const { return used_; }
    size_t capacity() const { return capacity_; }
    size_t count() const { return live_.size(); }
    const std::map<uint64_t, Allocation>& live() const { return live_; }

private:
    size_t capacity_;
    size_t used_ = 0;
    uint64_t allocations_ = 0;
    std::map<uint64_t, Allocation> live_; // by address
    std::deque<Allocation> quarantine_;   // released, oldest first; kept so that use after release is told as such
    size_t quarantined_ = 0;              // bytes in quarantine
};

} // namespace emulator
