// Tensor cores: fragments of mma, ldmatrix, the conversions that go with them, and what is found of their misuse.
#include "kernels.h"

#include <cmath>

namespace {

uint16_t bfloat16(float value) { return uint16_t(std::bit_cast<uint32_t>(value) >> 16); } // of values that fit

// Small whole numbers: sums of their products are exact in any order.
float pick(int n) { return float((n * 37 + 11) % 17 - 8); }

/// Matrices A (16 x k), B (k x 8) and C (16 x 8) for a kernel, and what A B + C is.
struct Product {
    explicit Product(int k) : depth(k), a(16 * k), b(k * 8), c(16 * 8), d(16 * 8) {
        for (size_t n = 0; n < a.size(); n++) a[n] = pick(int(n));
        for (size_t n = 0; n < b.size(); n++) b[n] = pick(int(n) + 5);
        for (size_t n = 0; n < c.size(); n++) c[n] = pick(int(n) + 9);
        for (int row = 0; row < 16; row++)
            for (int column = 0; column < 8; column++) {
                d[row * 8 + column] = c[row * 8 + column];
                for (int n = 0; n < k; n++) d[row * 8 + column] += a[row * k + n] * b[n * 8 + column];
            }
    }

    float atB(int k, int column) const { return b[k * 8 + column]; }

    int depth;
    std::vector<float> a, b, c, d;
};

// Input: A by rows, B by columns (or by rows where `bByRows`), then C by rows.
template <typename Element, typename Convert>
void fill(TestKernel& kernel, const Product& p, Convert convert, bool bByRows = false) {
    std::vector<Element> ab;
    for (float value : p.a) ab.push_back(convert(value));
    for (int n = 0; n < p.depth * 8; n++) ab.push_back(convert(bByRows ? p.b[n] : p.atB(n % p.depth, n / p.depth)));
    kernel.in.assign((ab.size() * sizeof(Element) + 512) / 8, 0);
    std::memcpy(kernel.in.data(), ab.data(), ab.size() * sizeof(Element));
    std::memcpy(reinterpret_cast<std::byte*>(kernel.in.data()) + ab.size() * sizeof(Element), p.c.data(), 512);
}

void checkResult(const TestKernel& kernel, const Product& p) {
    float d[16 * 8];
    std::memcpy(d, kernel.out.data(), sizeof d);
    for (int n = 0; n < 16 * 8; n++) CHECK_EQUAL(p.d[n], d[n]);
}

// %r1 and %r2: the lane's group and its number there; %d1: where the group's row begins, plus 4 bytes for each lane before it; %d3, %d4:
// the lane's two numbers of C and of the output, whose second row is 256 bytes on.
const std::string places = R"(
    shr.u32 %r1, %r9, 2; and.b32 %r2, %r9, 3; shl.b32 %r3, %r1, 5; shl.b32 %r4, %r2, 2; add.u32 %r5, %r3, %r4;
    cvt.u64.u32 %d1, %r5; add.u64 %d1, %d1, %d8;
    shl.b32 %r6, %r2, 3; add.u32 %r6, %r3, %r6; cvt.u64.u32 %d2, %r6; add.u64 %d3, %d2, %d8; add.u64 %d4, %d2, %d9;
)";

const std::string bfloat16Fragments = R"(
    ld.global.b32 %r10, [%d1]; ld.global.b32 %r11, [%d1+256]; ld.global.b32 %r12, [%d1+16]; ld.global.b32 %r13, [%d1+272];
    ld.global.b32 %r14, [%d1+512]; ld.global.b32 %r15, [%d1+528];
)";

const std::string accumulators = "ld.global.v2.f32 {%f1, %f2}, [%d3+768]; ld.global.v2.f32 {%f3, %f4}, [%d3+1024];\n";

const std::string multiply = R"(
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f5, %f6, %f7, %f8}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, {%f1, %f2, %f3, %f4};
)";

const std::string results = "st.global.v2.f32 [%d4], {%f5, %f6}; st.global.v2.f32 [%d4+256], {%f7, %f8};\n";

// Copies the input's first 768 bytes, A and B, to the shared array `tiles`, 16 bytes at a time.
const std::string tiles = ".shared .align 16 .b8 tiles[784];\n";
const std::string toShared = R"(
    shl.b32 %r3, %r9, 4; cvt.u64.u32 %d1, %r3; add.u64 %d2, %d1, %d8; mov.u32 %r4, tiles; add.u32 %r5, %r4, %r3;
    ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%d2]; st.shared.v4.b32 [%r5], {%r10, %r11, %r12, %r13};
    setp.lt.u32 %p1, %r9, 16;
    @%p1 ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%d2+512]; @%p1 st.shared.v4.b32 [%r5+512], {%r10, %r11, %r12, %r13};
    bar.warp.sync 0xffffffff;
)";

// %r16: the lane's row of A (rows of 32 bytes; the upper half of the warp has their second halves).
const std::string rowsOfA = R"(
    mov.u32 %r4, tiles;
    and.b32 %r3, %r9, 15; shl.b32 %r3, %r3, 5; and.b32 %r5, %r9, 16; add.u32 %r16, %r3, %r5; add.u32 %r16, %r16, %r4;
)";

} // namespace

TEST(Mma_Bfloat16_MultipliesFragmentsOfTheIsa) {
    Product p(16);
    TestKernel kernel(places + bfloat16Fragments + accumulators + multiply + results, "", "sm_80");
    fill<uint16_t>(kernel, p, bfloat16);
    runWell(kernel, "race,strict,count");
    checkResult(kernel, p);
    const auto& counters = kernel.counters.kernels.at("test");
    CHECK_EQUAL(1u, counters.bfloat16Operations);
    CHECK_EQUAL(2048u, counters.bfloat16MultiplyAdds);
}

TEST(Mma_Bfloat16OfDepth8_MultipliesFragmentsOfTheIsa) {
    Product p(8);
    TestKernel kernel(places + R"(
        shl.b32 %r3, %r9, 2; cvt.u64.u32 %d1, %r3; add.u64 %d1, %d1, %d8;
        ld.global.b32 %r10, [%d1]; ld.global.b32 %r11, [%d1+128]; ld.global.b32 %r14, [%d1+256];
        ld.global.v2.f32 {%f1, %f2}, [%d3+384]; ld.global.v2.f32 {%f3, %f4}, [%d3+640];
        mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f5, %f6, %f7, %f8}, {%r10, %r11}, {%r14}, {%f1, %f2, %f3, %f4};
    )" + results, "", "sm_80");
    fill<uint16_t>(kernel, p, bfloat16);
    runWell(kernel);
    checkResult(kernel, p);
}

namespace {

std::string tf32Kernel(const std::string& prepare = "") {
    return places + R"(
        ld.global.b32 %r10, [%d1]; ld.global.b32 %r11, [%d1+256]; ld.global.b32 %r12, [%d1+16]; ld.global.b32 %r13, [%d1+272];
        ld.global.b32 %r14, [%d1+512]; ld.global.b32 %r15, [%d1+528];
    )" + prepare + accumulators + R"(
        mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f5, %f6, %f7, %f8}, {%r10, %r11, %r12, %r13}, {%r14, %r15},
            {%f1, %f2, %f3, %f4};
    )" + results;
}

float same(float value) { return value; }
float withLowBits(float value) { return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | 0xFFF); }

} // namespace

TEST(Mma_Tf32_MultipliesFragmentsOfTheIsa) {
    Product p(8);
    TestKernel kernel(tf32Kernel(), "", "sm_80");
    fill<float>(kernel, p, same);
    runWell(kernel, "race,strict,count");
    checkResult(kernel, p);
    CHECK_EQUAL(1024u, kernel.counters.kernels.at("test").tf32MultiplyAdds);
}

TEST(Mma_Tf32WithLowBits_IgnoresThem_AndStrictFindsThem) {
    Product p(8);
    TestKernel cut(tf32Kernel(), "", "sm_80");
    fill<float>(cut, p, withLowBits);
    runWell(cut, "");
    checkResult(cut, p);
    runBadly(cut, 719, "round it by cvt.rna.tf32.f32", "strict", 1, 32);

    TestKernel rounded(tf32Kernel(R"(
        cvt.rna.tf32.f32 %r10, %r10; cvt.rna.tf32.f32 %r11, %r11; cvt.rna.tf32.f32 %r12, %r12; cvt.rna.tf32.f32 %r13, %r13;
        cvt.rna.tf32.f32 %r14, %r14; cvt.rna.tf32.f32 %r15, %r15;)"), "", "sm_80");
    fill<float>(rounded, p, withLowBits);
    runWell(rounded, "strict");
    checkResult(rounded, p);
}

TEST(Mma_SwappedRowsOfAFragment_GiveOtherValues) {
    Product p(16);
    std::string swapped = multiply;
    swapped.replace(swapped.find("%r11, %r12"), 10, "%r12, %r11");
    TestKernel kernel(places + bfloat16Fragments + accumulators + swapped + results, "", "sm_80");
    fill<uint16_t>(kernel, p, bfloat16);
    runWell(kernel);
    float d[16 * 8];
    std::memcpy(d, kernel.out.data(), sizeof d);
    CHECK(!std::equal(p.d.begin(), p.d.end(), d));
}

TEST(Mma_InALoop_ReadsAccumulatorsThatItOverwrites) {
    Product p(16);
    std::string inPlace = multiply;
    inPlace.replace(inPlace.find("{%f5, %f6, %f7, %f8}"), 20, "{%f1, %f2, %f3, %f4}");
    TestKernel kernel(places + bfloat16Fragments + accumulators + "mov.u32 %r16, 0; LOOP:" + inPlace +
                          "add.u32 %r16, %r16, 1; setp.lt.u32 %p1, %r16, 3; @%p1 bra LOOP;"
                          "st.global.v2.f32 [%d4], {%f1, %f2}; st.global.v2.f32 [%d4+256], {%f3, %f4};",
                      "", "sm_80");
    fill<uint16_t>(kernel, p, bfloat16);
    for (size_t n = 0; n < p.d.size(); n++) p.d[n] = p.c[n] + 3 * (p.d[n] - p.c[n]);
    runWell(kernel);
    checkResult(kernel, p);
}

TEST(Mma_ThatNotAllLanesReach_IsFound) {
    const std::string partly[] = {
        "setp.lt.u32 %p1, %r9, 16; @!%p1 bra END;" + multiply + "END:",         // the others leave
        "setp.lt.u32 %p1, %r9, 16; @%p1 " + multiply.substr(5),                  // a predicate keeps them
        "setp.lt.u32 %p1, %r9, 16; @%p1 bra HERE;" + multiply + "bra END; HERE:" + multiply + "END:", // two ways
    };
    for (const std::string& code : partly) {
        TestKernel kernel(code, "", "sm_80");
        runBadly(kernel, 719, "", "", 1, 32);
    }
    TestKernel fewThreads(multiply, "", "sm_80");
    runBadly(fewThreads, 719, "is no thread of the block", "", 1, 16);
    TestKernel parted("setp.lt.u32 %p1, %r9, 16; @%p1 bra LOW; mov.u32 %r10, 1; LOW:" + multiply, "", "sm_80");
    runWell(parted, ""); // all meet again before it
}

TEST(Mma_ForAnOlderTarget_IsRefused) {
    for (std::string code : {multiply, std::string("cvt.rna.tf32.f32 %r1, %f1;"), std::string("cp.async.wait_all;")}) {
        std::string message;
        try {
            TestKernel kernel(code);
        } catch (const emulator::PtxError& error) {
            message = error.what();
        }
        CHECK(message.find("needs .target sm_80") != std::string::npos);
    }
}

TEST(Ldmatrix_GivesFragmentsThatMmaTakes) {
    Product p(16);
    for (bool transposed : {false, true}) {
        // B by columns is as mma wants it; B by rows (16 bytes each) is transposed on the way.
        std::string rowsOfB = transposed
            ? "and.b32 %r3, %r9, 15; shl.b32 %r3, %r3, 4; add.u32 %r17, %r3, %r4;"
            : "and.b32 %r3, %r9, 7; shl.b32 %r3, %r3, 5; and.b32 %r5, %r9, 8; shl.b32 %r5, %r5, 1; add.u32 %r17, %r3, %r5;"
              "add.u32 %r17, %r17, %r4;";
        TestKernel kernel(toShared + places + rowsOfA + rowsOfB + R"(
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r16];
            ldmatrix.sync.aligned.m8n8.x2)" + (transposed ? ".trans" : "") + R"(.shared.b16 {%r14, %r15}, [%r17+512];
        )" + accumulators + multiply + results, tiles, "sm_80");
        fill<uint16_t>(kernel, p, bfloat16, transposed);
        runWell(kernel);
        checkResult(kernel, p);
    }
}

TEST(Ldmatrix_OfOneMatrix_GivesEachLaneItsPair) {
    for (bool transposed : {false, true}) {
        TestKernel kernel(toShared + "shl.b32 %r3, %r9, 4; mov.u32 %r4, tiles; add.u32 %r4, %r4, %r3; cvt.u64.u32 %d1, %r4;"
                                     "cvta.shared.u64 %d1, %d1; ldmatrix.sync.aligned.m8n8.x1" + (transposed ? ".trans" : "") +
                              ".b16 {%r5}, [%d1]; cvt.u64.u32 %d2, %r5; st.global.u64 [%d10], %d2;",
                          tiles, "sm_80");
        kernel.in.assign(96, 0);
        for (uint16_t n = 0; n < 64; n++) std::memcpy(reinterpret_cast<std::byte*>(kernel.in.data()) + n * 2, &n, 2);
        runWell(kernel);
        for (uint64_t lane = 0; lane < 32; lane++) {
            uint64_t row = lane / 4, column = lane % 4 * 2;
            uint64_t low = transposed ? column * 8 + row : row * 8 + column, high = transposed ? low + 8 : low + 1;
            CHECK_EQUAL(low | high << 16, kernel.out[lane]);
        }
    }
}

TEST(Ldmatrix_Misuse_IsFound) {
    const std::string load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r16];";
    TestKernel misaligned(toShared + rowsOfA + "add.u32 %r16, %r16, 8;" + load, tiles, "sm_80");
    misaligned.in.resize(96);
    runBadly(misaligned, 716, "not a multiple of 16", "", 1, 32);

    TestKernel outside(toShared + rowsOfA + "add.u32 %r16, %r16, 512;" + load, tiles, "sm_80");
    outside.in.resize(96);
    runBadly(outside, 700, "shared memory", "", 1, 32);

    // Rows that other lanes wrote, without a barrier of the warp between.
    std::string unordered = toShared;
    unordered.erase(unordered.find("bar.warp.sync"), std::string("bar.warp.sync 0xffffffff;").size());
    TestKernel early(unordered + rowsOfA + load, tiles, "sm_80");
    early.in.resize(96);
    runBadly(early, 719, "race with", "race", 1, 32);

    TestKernel global("mov.u64 %d1, %d8; ldmatrix.sync.aligned.m8n8.x1.b16 {%r5}, [%d1];", "", "sm_80");
    runBadly(global, 700, "not shared memory", "", 1, 32);
}

TEST(Convert_ToBfloat16AndTf32_RoundsAsTheIsaSays) {
    TestKernel kernel(R"(
        ld.global.f32 %f1, [%d8]; ld.global.f32 %f2, [%d8+4];
        cvt.rn.bf16.f32 %h1, %f1; cvt.rz.bf16.f32 %h2, %f1; mov.b32 %r1, {%h1, %h2};
        cvt.rn.bf16x2.f32 %r2, %f1, %f2; cvt.rna.tf32.f32 %r3, %f1; cvt.rn.relu.bf16x2.f32 %r4, %f1, %f2;
        st.global.v4.b32 [%d9], {%r1, %r2, %r3, %r4};)", "", "sm_80");
    const struct { uint32_t first, second; uint32_t expected[4]; } cases[] = {
        {0x3F808000, 0xC0490FDB, {0x3F803F80, 0x3F80C049, 0x3F808000, 0x3F800000}},  // a tie goes to even; -pi
        {0x3F818000, 0x3F81FFFF, {0x3F813F82, 0x3F823F82, 0x3F818000, 0x3F823F82}},  // up to even; just below a step
        {0x3F801000, 0x00000000, {0x3F803F80, 0x3F800000, 0x3F802000, 0x3F800000}},  // tf32: a tie goes away from zero
        {0x7F7FFFFF, 0xFF800000, {0x7F7F7F80, 0x7F80FF80, 0x7F800000, 0x7F800000}},  // to infinity
        {0x7FC00001, 0x80000001, {0x7FFF7FFF, 0x7FFF8000, 0x7FFFE000, 0x7FFF0000}},  // NaN; a subnormal number
    };
    for (const auto& c : cases) {
        kernel.in[0] = uint64_t(c.second) << 32 | c.first;
        runWell(kernel, "", 1, 1);
        CHECK_EQUAL(c.expected[0], uint32_t(kernel.out[0]));
        CHECK_EQUAL(c.expected[1], uint32_t(kernel.out[0] >> 32));
        CHECK_EQUAL(c.expected[2], uint32_t(kernel.out[1]));
        CHECK_EQUAL(c.expected[3], uint32_t(kernel.out[1] >> 32));
    }
}

TEST(Arithmetic_OfFloat32_IsCountedByThread) {
    TestKernel kernel(R"(
        fma.rn.f32 %f1, %f2, %f3, %f4; mul.f32 %f1, %f2, %f3; mul.rn.f32 %f5, %f2, %f3; add.f32 %f1, %f1, %f5; sub.f32 %f2, %f1, %f5;
        sub.f32 %f2, %f1, %f5; add.u32 %r1, %r9, 1; mul.f64 %q1, %q2, %q3; setp.lt.u32 %p1, %r9, 8; @%p1 bra HERE; bra END;
        HERE: fma.rn.f32 %f1, %f2, %f3, %f4; END:)");
    runWell(kernel, "count", 2, 32);
    const auto& counters = kernel.counters.kernels.at("test");
    CHECK_EQUAL(2u * 32 + 2 * 8, counters.floatFused);
    CHECK_EQUAL(2u * 2 * 32, counters.floatProducts);
    CHECK_EQUAL(2u * 3 * 32, counters.floatSums);
    CHECK_EQUAL(counters.floatFused + counters.floatProducts, counters.floatMultiplyAdds());
    CHECK_EQUAL(0u, counters.bfloat16MultiplyAdds + counters.tf32MultiplyAdds);
}

TEST(Traffic_OfSmallElements_IsCountedApart) {
    TestKernel kernel("ld.global.u16 %h1, [%d8]; ld.global.u32 %r1, [%d8]; st.global.u16 [%d10], %h1; st.global.u32 [%d10+4], %r1;");
    runWell(kernel, "count", 1, 32);
    const auto& counters = kernel.counters.kernels.at("test");
    CHECK_EQUAL(2u + 32 * 2, counters.smallElementBytes);
    CHECK_EQUAL(2u + 4, counters.bytesRead);
    CHECK_EQUAL(32u * 6, counters.bytesWritten);
}
