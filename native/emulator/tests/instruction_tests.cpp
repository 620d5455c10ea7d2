// Single instructions against what the PTX manual says of them.
#include "kernels.h"

#include <cmath>

namespace {

// Runs one instruction. Its operands a, b, c are the registers 1, 2, 3 of each kind,
// its result is register 0 of the kind that `kind` names.
uint64_t evaluate(const std::string& instruction, char kind, uint64_t a, uint64_t b = 0, uint64_t c = 0) {
    std::string store = kind == 'r'   ? "cvt.u64.u32 %d0, %r0;"
                        : kind == 'h' ? "cvt.u64.u16 %d0, %h0;"
                        : kind == 'f' ? "mov.b32 %r0, %f0; cvt.u64.u32 %d0, %r0;"
                        : kind == 'q' ? "mov.b64 %d0, %q0;"
                        : kind == 'p' ? "selp.u64 %d0, 1, 0, %p0;"
                                      : "";
    std::string load;
    for (char n : {'1', '2', '3'}) {
        std::string d = std::string("%d") + n, r = std::string("%r") + n;
        load += "ld.global.u64 " + d + ", [%d8+" + std::to_string(8 * (n - '1')) + "]; cvt.u32.u64 " + r + ", " + d + "; cvt.u16.u64 %h" +
                n + ", " + d + "; mov.b32 %f" + n + ", " + r + "; mov.b64 %q" + n + ", " + d + "; setp.ne.u64 %p" + n + ", " + d + ", 0;\n";
    }
    TestKernel kernel(load + instruction + "\n" + store + "\nst.global.u64 [%d10], %d0;");
    kernel.in = {a, b, c};
    runWell(kernel);
    return kernel.out[31];
}

uint64_t bits(float value) { return std::bit_cast<uint32_t>(value); }
uint64_t bits(double value) { return std::bit_cast<uint64_t>(value); }
uint64_t low(int32_t value) { return static_cast<uint32_t>(value); }

struct Expectation {
    const char* instruction;
    char kind;
    uint64_t expected, a, b = 0, c = 0;
};

void checkAll(const std::vector<Expectation>& all) {
    for (const Expectation& e : all) {
        uint64_t actual = evaluate(e.instruction, e.kind, e.a, e.b, e.c);
        if (actual != e.expected) {
            std::ostringstream text;
            text << e.instruction << std::hex << " of " << e.a << ", " << e.b << ", " << e.c << " gives " << actual << ", not "
                 << e.expected;
            testing::fail(__FILE__, __LINE__, text.str());
        }
    }
}

const uint64_t nan32 = 0x7FC00000, infinity32 = 0x7F800000;

} // namespace

TEST(Instruction_Integer_GivesItsResult) {
    checkAll({
        {"add.s32 %r0, %r1, %r2;", 'r', 4, low(-1), 5},
        {"sub.u64 %d0, %d1, %d2;", 'd', ~uint64_t(0), 1, 2},
        {"mul.lo.s16 %h0, %h1, %h2;", 'h', 0xFFFA, 0xFFFE, 3},
        {"mul.hi.s32 %r0, %r1, %r2;", 'r', low(-1), low(-2), 3},
        {"mul.hi.u32 %r0, %r1, %r2;", 'r', 2, 0xFFFFFFFE, 3},
        {"mul.hi.s64 %d0, %d1, %d2;", 'd', ~uint64_t(0), ~uint64_t(1), 3},
        {"mul.hi.u64 %d0, %d1, %d2;", 'd', 0xFFFFFFFFFFFFFFFE, ~uint64_t(0), ~uint64_t(0)},
        {"mul.wide.s32 %d0, %r1, %r2;", 'd', uint64_t(-6), low(-2), 3},
        {"mad.lo.s32 %r0, %r1, %r2, %r3;", 'r', low(-5), low(-2), 3, 1},
        {"mad.wide.u32 %d0, %r1, %r2, %d3;", 'd', 0x1FFFFFFFEu + 5ull, 0xFFFFFFFF, 2, 5},
        {"div.s32 %r0, %r1, %r2;", 'r', low(-3), low(-7), 2},
        {"div.s32 %r0, %r1, %r2;", 'r', 0x80000000, 0x80000000, low(-1)},
        {"rem.s64 %d0, %d1, %d2;", 'd', uint64_t(-1), uint64_t(-7), 2},
        {"min.s32 %r0, %r1, %r2;", 'r', low(-1), low(-1), 2},
        {"max.u32 %r0, %r1, %r2;", 'r', low(-1), low(-1), 2},
        {"abs.s32 %r0, %r1;", 'r', 7, low(-7)},
        {"sad.s32 %r0, %r1, %r2, %r3;", 'r', 19, low(-7), 2, 10},
        {"sad.u32 %r0, %r1, %r2, %r3;", 'r', 15, 2, 7, 10},
    });
}

TEST(Instruction_Bits_GiveTheirResult) {
    checkAll({
        {"shl.b32 %r0, %r1, %r2;", 'r', 0, 1, 32},
        {"shl.b64 %d0, %d1, %r2;", 'd', uint64_t(1) << 63, 1, 63},
        {"shr.s32 %r0, %r1, %r2;", 'r', low(-1), 0x80000000, 99},
        {"shr.u64 %d0, %d1, %r2;", 'd', 0, ~uint64_t(0), 64},
        {"shf.l.wrap.b32 %r0, %r1, %r2, %r3;", 'r', 0x34567812, 0x12000000, 0x12345678, 40},
        {"shf.r.clamp.b32 %r0, %r1, %r2, %r3;", 'r', 0x12345678, 5, 0x12345678, 40},
        {"bfe.u32 %r0, %r1, %r2, %r3;", 'r', 0x56, 0x12345678, 8, 8},
        {"bfe.s32 %r0, %r1, %r2, %r3;", 'r', low(-1), 0x0000F000, 12, 4},
        {"bfe.s32 %r0, %r1, %r2, %r3;", 'r', low(-8), 0x80000000, 28, 8},
        {"bfi.b32 %r0, %r1, %r2, 8, 4;", 'r', 0xF0F, 0xF, 0xF},
        {"bfind.u32 %r0, %r1;", 'r', 4, 0x1F},
        {"bfind.s32 %r0, %r1;", 'r', ~0u, low(-1)},
        {"bfind.shiftamt.u32 %r0, %r1;", 'r', 27, 0x1F},
        {"popc.b64 %r0, %d1;", 'r', 64, ~uint64_t(0)},
        {"clz.b32 %r0, %r1;", 'r', 32, 0},
        {"brev.b32 %r0, %r1;", 'r', 0x80000000, 1},
        {"prmt.b32 %r0, %r1, %r2, 0x5140;", 'r', 0x77336644, 0x11223344, 0x55667788 - 0x00000022},
        {"prmt.b32 %r0, %r1, %r2, 0x888F;", 'r', 0x000000FF, 0x11223344, 0x80000000},
        {"lop3.b32 %r0, %r1, %r2, %r3, 0x96;", 'r', 0xF0 ^ 0xCC ^ 0xAA, 0xF0, 0xCC, 0xAA},
        {"lop3.b32 %r0, %r1, %r2, %r3, 0xE8;", 'r', 0xE8, 0xF0, 0xCC, 0xAA},
        {"not.b16 %h0, %h1;", 'h', 0xFFFE, 1},
        {"mov.b32 %r0, {%h1, %h2};", 'r', 0x00020001, 1, 2},
        {"mov.b64 {%r4, %r0}, %d1;", 'r', 7, uint64_t(7) << 32 | 9},
        {"slct.s32.s32 %r0, %r1, %r2, %r3;", 'r', 5, 4, 5, low(-1)},
        {"add.cc.u32 %r4, %r1, %r2; addc.u32 %r0, 0, 0;", 'r', 1, low(-1), 1},
        {"sub.cc.u32 %r4, %r1, %r2; subc.u32 %r0, %r3, 0;", 'r', 9, 1, 2, 10},
        {"mad.lo.cc.u32 %r4, %r1, %r1, %r2; madc.hi.u32 %r0, %r1, %r1, 0;", 'r', 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
    });
}

TEST(Instruction_Float_GivesItsResult) {
    checkAll({
        {"fma.rn.f32 %f0, %f1, %f2, %f3;", 'f', bits(std::fma(1.1f, 3.3f, -3.63f)), bits(1.1f), bits(3.3f), bits(-3.63f)},
        {"add.rz.f32 %f0, %f1, %f2;", 'f', bits(1.0f), bits(1.0f), bits(0x1p-24f)},
        {"add.rp.f32 %f0, %f1, %f2;", 'f', bits(1.0f + 0x1p-23f), bits(1.0f), bits(0x1p-30f)},
        {"add.sat.f32 %f0, %f1, %f2;", 'f', bits(1.0f), bits(1.0f), bits(2.0f)},
        {"mul.ftz.f32 %f0, %f1, %f2;", 'f', 0, bits(0x1p-130f), bits(2.0f)},
        {"min.f32 %f0, %f1, %f2;", 'f', bits(2.0f), nan32, bits(2.0f)},
        {"max.f32 %f0, %f1, %f2;", 'f', bits(0.0f), bits(-0.0f), bits(0.0f)},
        {"div.rn.f32 %f0, %f1, %f2;", 'f', bits(1.0f / 3.0f), bits(1.0f), bits(3.0f)},
        {"div.rn.f32 %f0, %f1, %f2;", 'f', infinity32, bits(1.0f), bits(0.0f)},
        {"sqrt.rn.f64 %q0, %q1;", 'q', bits(std::sqrt(2.0)), bits(2.0)},
        {"rcp.rn.f64 %q0, %q1;", 'q', bits(1 / 3.0), bits(3.0)},
        {"ex2.approx.ftz.f32 %f0, %f1;", 'f', bits(8.0f), bits(3.0f)},
        {"lg2.approx.f32 %f0, %f1;", 'f', bits(3.0f), bits(8.0f)},
        {"copysign.f32 %f0, %f1, %f2;", 'f', bits(-2.0f), bits(-1.0f), bits(2.0f)},
        {"abs.f32 %f0, %f1;", 'f', bits(1.5f), bits(-1.5f)},
        {"setp.lt.f32 %p0, %f1, %f2;", 'p', 0, nan32, bits(1.0f)},
        {"setp.ltu.f32 %p0, %f1, %f2;", 'p', 1, nan32, bits(1.0f)},
        {"setp.ne.f32 %p0, %f1, %f2;", 'p', 0, nan32, nan32},
        {"setp.neu.f32 %p0, %f1, %f2;", 'p', 1, nan32, nan32},
        {"setp.num.f32 %p0, %f1, %f2;", 'p', 0, nan32, bits(1.0f)},
        {"setp.gt.and.s32 %p4|%p0, %r1, %r2, %p3;", 'p', 1, low(-1), 2, 1},
        {"setp.lo.u32 %p0, %r1, %r2;", 'p', 0, low(-1), 2},
        {"setp.eq.or.s64 %p0, %d1, %d2, !%p3;", 'p', 1, 1, 2, 0},
        {"testp.subnormal.f32 %p0, %f1;", 'p', 1, bits(0x1p-130f)},
    });
}

TEST(Instruction_Conversion_RoundsAndClamps) {
    checkAll({
        {"cvt.rni.s32.f32 %r0, %f1;", 'r', low(-2), bits(-2.5f)},
        {"cvt.rmi.s32.f32 %r0, %f1;", 'r', low(-3), bits(-2.5f)},
        {"cvt.rpi.s32.f32 %r0, %f1;", 'r', low(-2), bits(-2.5f)},
        {"cvt.rzi.s32.f32 %r0, %f1;", 'r', 0x7FFFFFFF, bits(3e9f)},
        {"cvt.rzi.u32.f32 %r0, %f1;", 'r', 0, bits(-1.0f)},
        {"cvt.rzi.s32.f32 %r0, %f1;", 'r', 0, nan32},
        {"cvt.rzi.u64.f64 %d0, %q1;", 'd', ~uint64_t(0), bits(1e30)},
        {"cvt.rni.f32.f32 %f0, %f1;", 'f', bits(4.0f), bits(3.5f)},
        {"cvt.sat.f32.f32 %f0, %f1;", 'f', 0, nan32},
        {"cvt.rn.f32.s32 %f0, %r1;", 'f', bits(16777216.0f), 16777217},
        {"cvt.rz.f32.u32 %f0, %r1;", 'f', bits(4294967040.0f), 0xFFFFFFFF},
        {"cvt.rn.f32.f64 %f0, %q1;", 'f', bits(0.1f), bits(0.1)},
        {"cvt.f64.f32 %q0, %f1;", 'q', bits(0.5), bits(0.5f)},
        {"cvt.s32.s8 %r0, %r1;", 'r', low(-1), 0xFF},
        {"cvt.u32.u8 %r0, %r1;", 'r', 0xFF, 0x1FF},
        {"cvt.s64.s32 %d0, %r1;", 'd', uint64_t(-5), low(-5)},
        {"cvt.sat.u8.s32 %r0, %r1;", 'r', 255, 300},
        {"cvt.sat.s8.s32 %r0, %r1;", 'r', 0x80, low(-300)},
        {"cvt.rn.f16.f32 %h0, %f1;", 'h', 0x3C00, bits(1.0f)},
        {"cvt.rn.f16.f32 %h0, %f1;", 'h', 0x3C00, bits(1.0f + 0x1p-11f)},
        {"cvt.rn.f16.f32 %h0, %f1;", 'h', 0x7C00, bits(65520.0f)},
        {"cvt.rn.f16.f32 %h0, %f1;", 'h', 0x0001, bits(0x1p-24f)},
        {"cvt.f32.f16 %f0, %h1;", 'f', bits(-2.0f), 0xC000},
        {"cvt.f32.f16 %f0, %h1;", 'f', bits(0x1p-24f), 0x0001},
    });
}

TEST(Instruction_NotKnown_IsToldWithItsLine) {
    try {
        TestKernel kernel("add.s32 %r0, %r0, 1;\nfrobnicate.b32 %r0, %r1;");
    } catch (const emulator::PtxError& error) {
        CHECK(std::string(error.what()).find("PTX line 13") != std::string::npos);
        CHECK(std::string(error.what()).find("frobnicate.b32") != std::string::npos);
        return;
    }
    CHECK(false);
}

TEST(Instruction_ParameterReadPastItsEnd_IsRefused) {
    try {
        TestKernel kernel("ld.param.u64 %d0, [in+4];");
    } catch (const emulator::PtxError& error) {
        CHECK(std::string(error.what()).find("the parameter in") != std::string::npos);
        return;
    }
    CHECK(false);
}
