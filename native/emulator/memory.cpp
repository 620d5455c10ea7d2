#include "memory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

namespace emulator {

namespace {

constexpr size_t alignment = 256;
constexpr size_t redZone = 256;                      // on both sides: neighbours never touch
constexpr size_t quarantineBytes = size_t(64) << 20; // how much released memory is kept
constexpr size_t quarantineCount = 4096;
constexpr int poison = 0xCB;

std::byte* blockOf(const Allocation& allocation) {
    return reinterpret_cast<std::byte*>(allocation.address - redZone);
}

void giveBack(const Allocation& allocation) {
    ::operator delete(blockOf(allocation), std::align_val_t(alignment));
}

std::string hex(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string nameOf(const Allocation& a) {
    return "allocation " + std::to_string(a.number) + " of " + std::to_string(a.bytes) + " bytes at " + hex(a.address);
}

} // namespace

DeviceMemory::~DeviceMemory() {
    for (auto& [address, allocation] : live_)
        giveBack(allocation);
    for (Allocation& allocation : quarantine_)
        giveBack(allocation);
}

uint64_t DeviceMemory::allocate(size_t bytes) {
    if (bytes == 0 || bytes > capacity_ - used_)
        return 0;
    void* block = ::operator new(bytes + 2 * redZone, std::align_val_t(alignment), std::nothrow);
    if (block == nullptr)
        return 0;

    uint64_t address = reinterpret_cast<uint64_t>(block) + redZone;
    std::memset(reinterpret_cast<void*>(address), poison, bytes);
    live_[address] = {address, bytes, ++allocations_};
    used_ += bytes;
    return address;
}

bool DeviceMemory::release(uint64_t address) {
    auto found = live_.find(address);
    if (found == live_.end())
        return false;

    Allocation allocation = found->second;
    live_.erase(found);
    used_ -= allocation.bytes;
    std::memset(reinterpret_cast<void*>(address), poison, allocation.bytes);
    quarantine_.push_back(allocation);
    quarantined_ += allocation.bytes;
    while (quarantined_ > quarantineBytes || quarantine_.size() > quarantineCount) {
        quarantined_ -= quarantine_.front().bytes;
        giveBack(quarantine_.front());
        quarantine_.pop_front();
    }
    return true;
}

const Allocation* DeviceMemory::find(uint64_t address) const {
    auto after = live_.upper_bound(address);
    if (after == live_.begin())
        return nullptr;
    const Allocation& allocation = std::prev(after)->second;
    return address - allocation.address < allocation.bytes ? &allocation : nullptr;
}

bool DeviceMemory::holds(uint64_t address, size_t bytes) const {
    const Allocation* allocation = find(address);
    return allocation != nullptr && allocation->contains(address, bytes);
}

std::string DeviceMemory::describe(uint64_t address) const {
    if (const Allocation* inside = find(address))
        return std::to_string(address - inside->address) + " bytes into the " + nameOf(*inside);
    for (auto old = quarantine_.rbegin(); old != quarantine_.rend(); ++old)
        if (old->contains(address, 1))
            return std::to_string(address - old->address) + " bytes into the released " + nameOf(*old);
    if (address < 4096)
        return "near the null pointer";

    // Of the neighbours on both sides, the nearer one.
    const Allocation* nearest = nullptr;
    uint64_t distance = UINT64_MAX;
    auto after = live_.upper_bound(address);
    bool past = false;
    if (after != live_.end()) {
        nearest = &after->second;
        distance = nearest->address - address;
    }
    if (after != live_.begin()) {
        const Allocation& before = std::prev(after)->second;
        uint64_t beyond = address - before.address - before.bytes;
        if (beyond <= distance) {
            nearest = &before;
            distance = beyond;
            past = true;
        }
    }
    if (nearest == nullptr)
        return "there are no live allocations";
    if (distance > uint64_t(1) << 40)
        return "far from all allocations";
    return std::to_string(distance) + (past ? " bytes past the end of the " : " bytes before the ") + nameOf(*nearest);
}

} // namespace emulator
