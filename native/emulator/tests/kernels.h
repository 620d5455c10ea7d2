// Kernels written in PTX, run by the interpreter without the driver.
#pragma once

#include "interpreter.h"
#include "testing.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// A kernel `test(in, out)` around a body. It has the registers %r0.. (32 bits), %d0.. (64), %h0.. (16), %f0.., %q0.. (float64) and %p0..;
/// %d8 and %d9 are the addresses of in and out, %r9 is the number of the thread in its block, and %d10 the address of its 8 bytes of out.
class TestKernel {
public:
    explicit TestKernel(const std::string& body, const std::string& variables = "", const std::string& target = "sm_70") {
        module_ = emulator::parseModule(".version 7.8\n.target " + target + "\n.address_size 64\n" + variables + R"(
.visible .entry test(.param .u64 in, .param .u64 out)
{
.reg .b32 %r<20>; .reg .b64 %d<20>; .reg .b16 %h<20>; .reg .f32 %f<20>; .reg .f64 %q<20>; .reg .pred %p<20>;
ld.param.u64 %d8, [in];
ld.param.u64 %d9, [out];
mov.u32 %r9, %tid.x;
mad.wide.u32 %d10, %r9, 8, %d9;
)" + body + "\nret;\n}\n");
    }

    /// Launches it on as many blocks; `in` and `out` lie in device memory of their own. What it found, or nothing.
    std::optional<emulator::Finding> run(const std::string& settings, uint32_t blocks, uint32_t threads, uint32_t dynamicShared = 0) {
        emulator::Settings parsed;
        CHECK_EQUAL("", emulator::parseSettings(settings, parsed));
        emulator::DeviceMemory memory(size_t(1) << 24);
        uint64_t input = memory.allocate(in.size() * sizeof(uint64_t)), output = memory.allocate(outBytes);
        std::memcpy(reinterpret_cast<void*>(input), in.data(), in.size() * sizeof(uint64_t));
        emulator::Launch launch{module_->find("test"), {blocks, 1, 1}, {threads, 1, 1}, dynamicShared, std::vector<std::byte>(16)};
        std::memcpy(launch.parameters.data(), &input, 8);
        std::memcpy(launch.parameters.data() + 8, &output, 8);
        auto finding = emulator::run(launch, memory, parsed, &counters);
        out.resize(outBytes / 8);
        std::memcpy(out.data(), reinterpret_cast<const void*>(output), outBytes);
        return finding;
    }

    std::vector<uint64_t> in = std::vector<uint64_t>(64), out;
    size_t outBytes = 8 * 1024;
    emulator::Counters counters;

private:
    std::unique_ptr<emulator::Module> module_;
};

/// Checks that the kernel runs well.
inline void runWell(TestKernel& kernel, const std::string& settings = "race,strict", uint32_t blocks = 1, uint32_t threads = 32) {
    auto finding = kernel.run(settings, blocks, threads);
    CHECK_EQUAL("", finding ? finding->text : "");
}

/// Checks that the kernel is found out, with these words.
inline void runBadly(TestKernel& kernel, int error, const std::string& words, const std::string& settings = "race,strict",
                     uint32_t blocks = 1, uint32_t threads = 64) {
    auto finding = kernel.run(settings, blocks, threads);
    CHECK(finding.has_value());
    CHECK_EQUAL(error, finding->cudaError);
    if (finding->text.find(words) == std::string::npos)
        testing::fail(__FILE__, __LINE__, "'" + words + "' is not in: " + finding->text);
    CHECK(finding->text.find("PTX line") != std::string::npos);
}
