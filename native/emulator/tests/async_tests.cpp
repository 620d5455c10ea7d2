// cp.async: what is copied when, and what is found of copies that nobody waits for.
#include "kernels.h"

namespace {

const std::string words = ".shared .align 16 .b32 words[256];\n";

// Each thread copies 16 bytes, its own four words, to its place in shared memory: %r3 is the target, %d1 the source.
const std::string begin = R"(
    shl.b32 %r1, %r9, 4; mov.u32 %r2, words; add.u32 %r3, %r2, %r1; cvt.u64.u32 %d1, %r1; add.u64 %d1, %d1, %d8;
    cp.async.cg.shared.global [%r3], [%d1], 16;
)";

// Reads the thread's first word, or that of the thread whose number differs in `bit`.
std::string readBack(int bit = 0) {
    return "xor.b32 %r4, %r1, " + std::to_string(bit * 16) + "; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4];"
           "cvt.u64.u32 %d2, %r5; st.global.u64 [%d10], %d2;";
}

const std::string commit = "cp.async.commit_group;\n", wait = "cp.async.wait_group 0;\n", barrier = "bar.sync 0;\n";

TestKernel kernelOf(const std::string& body) {
    TestKernel kernel(body, words, "sm_80");
    kernel.in.assign(256, 0);
    for (uint32_t n = 0; n < 512; n++) std::memcpy(reinterpret_cast<std::byte*>(kernel.in.data()) + n * 4, &n, 4);
    return kernel;
}

} // namespace

TEST(AsyncCopy_CommittedAndAwaited_IsThere) {
    for (std::string end : {commit + wait, std::string("cp.async.wait_all;\n")}) {
        TestKernel own = kernelOf(begin + end + readBack());
        runWell(own, "race,strict", 1, 64);
        TestKernel others = kernelOf(begin + end + barrier + readBack(32));
        for (std::string settings : {"race,strict", "shuffle=3", "count"}) {
            runWell(others, settings, settings == "race,strict" ? 1 : 2, 64); // all blocks write the same places
            for (uint64_t thread = 0; thread < 64; thread++) {
                CHECK_EQUAL(4 * thread, own.out[thread]);
                CHECK_EQUAL(4 * (thread ^ 32), others.out[thread]);
            }
        }
        CHECK_EQUAL(2u * 64 * 16, others.counters.kernels.at("test").bytesRead);
        CHECK_EQUAL(64u * 16, others.counters.kernels.at("test").leastRead);
    }
}

TEST(AsyncCopy_OfFewerBytes_FillsWithZeros) {
    for (uint64_t bytes : {0, 4, 6, 8, 12, 16}) {
        TestKernel kernel = kernelOf(
            "mov.u32 %r3, words; mov.u32 %r4, " + std::to_string(bytes) +
            "; cp.async.ca.shared.global.L2::128B [%r3+16], [%d8+16], 16, %r4; cp.async.wait_all;"
            "ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r3+16]; st.global.v4.u32 [%d9], {%r5, %r6, %r7, %r8};");
        runWell(kernel, "race,strict,count", 1, 1);
        uint32_t expected[4] = {};
        std::memcpy(expected, reinterpret_cast<const std::byte*>(kernel.in.data()) + 16, bytes);
        CHECK(std::memcmp(expected, kernel.out.data(), 16) == 0);
        CHECK_EQUAL(bytes, kernel.counters.kernels.at("test").bytesRead);
    }
    // No byte of the source: its address may be any.
    TestKernel nowhere = kernelOf("mov.u32 %r3, words; mov.u64 %d1, 64; cp.async.cg.shared.global [%r3], [%d1], 16, 0; cp.async.wait_all;");
    runWell(nowhere, "race,strict", 1, 1);
    TestKernel ignored = kernelOf("mov.u32 %r3, words; mov.u64 %d1, 64; setp.eq.u32 %p1, %r9, 0;"
                                  "cp.async.ca.shared.global [%r3], [%d1], 4, %p1; cp.async.wait_all; ld.shared.u32 %r5, [%r3];"
                                  "cvt.u64.u32 %d2, %r5; st.global.u64 [%d10], %d2;");
    runWell(ignored, "race,strict", 1, 1);
    CHECK_EQUAL(uint64_t(0), ignored.out[0]);
    TestKernel tooMany = kernelOf("mov.u32 %r3, words; cp.async.ca.shared.global [%r3], [%d8], 4, 8; cp.async.wait_all;");
    runBadly(tooMany, 719, "copies 8 bytes into 4", "", 1, 1);
}

TEST(AsyncCopy_WaitForAllButOneGroup_LeavesTheLastUnderWay) {
    const std::string two = begin + commit + "cp.async.cg.shared.global [%r3+1024], [%d1+1024], 16;" + commit + "cp.async.wait_group 1;";
    const std::string twice = ".shared .align 16 .b32 words[512];\n";
    TestKernel first(two + readBack() + wait, twice, "sm_80");
    first.in.assign(256, 7);
    runWell(first, "race,strict", 1, 64);
    TestKernel second(two + "ld.shared.u32 %r5, [%r3+1024];" + wait, twice, "sm_80");
    second.in.assign(256, 7);
    runBadly(second, 719, "no wait_group has let its group end", "race", 1, 64);

    // Without checks shared memory still holds what was there.
    TestKernel poison = kernelOf(begin + commit + readBack() + wait);
    runWell(poison, "", 1, 64);
    CHECK_EQUAL(uint64_t(0xCDCDCDCD), poison.out[5]);
}

TEST(AsyncCopy_ThatNobodyWaitsFor_IsFound) {
    TestKernel noWait = kernelOf(begin + commit + readBack());
    runBadly(noWait, 719, "reads shared memory that a cp.async is still to write: no wait_group", "race");
    TestKernel noCommit = kernelOf(begin + wait + readBack());
    runBadly(noCommit, 719, "reads shared memory that a cp.async is still to write: no commit_group came after it", "race");
    TestKernel written = kernelOf(begin + commit + "st.shared.u32 [%r3+4], 1;" + wait);
    runBadly(written, 719, "writes shared memory that a cp.async is still to write", "race");
    TestKernel twice = kernelOf(begin + commit + "cp.async.ca.shared.global [%r3+8], [%d1], 8;" + commit + wait);
    runBadly(twice, 719, "writes shared memory that a cp.async is still to write", "race");
    TestKernel leaves = kernelOf(begin + commit);
    runBadly(leaves, 719, "ends with a cp.async under way", "strict");
    runWell(leaves, "race", 3, 64); // and the next block begins afresh
    TestKernel oneWaits = kernelOf(begin + commit + "setp.lt.u32 %p1, %r9, 63; @%p1 cp.async.wait_group 0;" + barrier + readBack());
    runBadly(oneWaits, 719, "no wait_group has let its group end", "race");
}

TEST(AsyncCopy_WithoutABarrierBehindTheWait_IsARace) {
    TestKernel ofTheWarp = kernelOf(begin + commit + wait + readBack(1));
    runBadly(ofTheWarp, 719, "race with", "race");
    TestKernel ofAnother = kernelOf(begin + commit + wait + readBack(32)); // the other warp has not even begun
    runBadly(ofAnother, 719, "reads shared memory that nobody wrote", "race");
    // A barrier before the wait does not help.
    TestKernel early = kernelOf(begin + commit + barrier + wait + readBack(1));
    runBadly(early, 719, "race with", "race");
    TestKernel earlyOfAnother = kernelOf(begin + commit + barrier + wait + readBack(32));
    runBadly(earlyOfAnother, 719, "", "race");
}

TEST(AsyncCopy_OverWhatOthersStillRead_IsARace) {
    const std::string fresh = begin + commit + wait + barrier + readBack(32);
    const std::string next = "cp.async.cg.shared.global [%r3], [%d1+1024], 16;" + commit + wait;
    TestKernel unordered = kernelOf(fresh + next);
    runBadly(unordered, 719, "race with", "race");
    TestKernel ordered = kernelOf(fresh + barrier + next);
    runWell(ordered, "race,strict", 1, 64);
}

TEST(AsyncCopy_SourceThatChangesUnderWay_IsFound) {
    TestKernel kernel = kernelOf(begin + commit + "st.global.u32 [%d1], 99;" + wait);
    runBadly(kernel, 719, "source was written to while the copy was under way", "race");
}

TEST(AsyncCopy_WrongAddresses_AreFound) {
    const struct { const char* code; int error; const char* words; } wrong[] = {
        {"cp.async.cg.shared.global [%r3+8], [%d8], 16;", 716, "writes 16 bytes"},
        {"cp.async.cg.shared.global [%r3], [%d8+8], 16;", 716, "copies 16 bytes from"},
        {"cp.async.ca.shared.global [%r3+4], [%d8], 8;", 716, "not a multiple of 8"},
        {"cp.async.ca.shared.global [%r3], [%d8+2], 4;", 716, "not a multiple of 4"},
        {"cp.async.cg.shared.global [%r3+1024], [%d8], 16;", 700, "in shared memory"},
        {"cp.async.cg.shared.global [%r3], [%d8+2048], 16;", 700, "past the end"},
        {"cp.async.cg.shared.global [%r3], [%d8+2040], 16, 4;", 716, "copies 16 bytes from"},
    };
    for (const auto& w : wrong) {
        TestKernel kernel = kernelOf(std::string("mov.u32 %r3, words;") + w.code + "cp.async.wait_all;");
        runBadly(kernel, w.error, w.words, "", 1, 1);
    }
}
