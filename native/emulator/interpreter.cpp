#include "interpreter.h"

#include "interpreter_warp.h"

#include <cstring>

namespace emulator {

const Allocation* LaunchState::find(uint64_t address) const {
    if (const Allocation* allocation = memory.find(address))
        return allocation;
    const Variable* variable = kernel.module->variableAt(address);
    return variable == nullptr ? nullptr : &variable->storage;
}

// SplitMix64.
uint64_t LaunchState::nextRandom() {
    uint64_t z = random += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

namespace {

// The blocks of a grid: in order, or from the first to the last of a random order that needs no list. Steps of a number without a common
// divisor with the count visit each block once.
class BlockOrder {
public:
    BlockOrder(uint64_t count, LaunchState& state) : count_(count) {
        if (!state.settings.shuffle)
            return;
        next_ = state.nextRandom() % count;
        do
            step_ = state.nextRandom() % count + 1;
        while (divisor(step_, count) != 1);
    }

    uint64_t next() {
        uint64_t result = next_;
        next_ = (next_ + step_) % count_;
        return result;
    }

private:
    static uint64_t divisor(uint64_t a, uint64_t b) { return b == 0 ? a : divisor(b, a % b); }

    uint64_t count_, next_ = 0, step_ = 1;
};

} // namespace

std::optional<Finding> run(const Launch& launch, DeviceMemory& memory, const Settings& settings, Counters* counters) {
    LaunchState state(launch, memory, settings);
    state.allocations.resize(launch.kernel->instructions.size());
    state.random = settings.shuffle;
    std::optional<Checks> checks;
    std::optional<Traffic> traffic;
    if (settings.race)
        state.checks = &checks.emplace(state);
    if (settings.count && counters != nullptr) {
        state.counters = &counters->kernels[launch.kernel->name];
        state.traffic = &traffic.emplace();
        state.counters->launches++;
    }

    try {
        if (launch.parameters.size() != launch.kernel->parameterBytes)
            throw Fault{{errorLaunchFailed, "kernel " + launch.kernel->name + " takes " + std::to_string(launch.kernel->parameterBytes)
                + " bytes of parameters and was given " + std::to_string(launch.parameters.size())}};
        if (launch.grid.count() == 0 || launch.block.count() == 0)
            return std::nullopt;
        Block block(state);
        BlockOrder order(launch.grid.count(), state);
        for (uint64_t n = 0; n < launch.grid.count(); n++) {
            uint64_t number = order.next();
            block.run({uint32_t(number % launch.grid.x), uint32_t(number / launch.grid.x % launch.grid.y),
                       uint32_t(number / launch.grid.x / launch.grid.y)});
        }
    } catch (const Fault& fault) {
        return fault.finding;
    }
    return std::nullopt;
}

} // namespace emulator
