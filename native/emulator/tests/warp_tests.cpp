// Lanes that part and meet again, operations of a whole warp, barriers, and what the checks find.
#include "kernels.h"

TEST(Warp_LoopsOfDifferentLength_MeetAgain) {
    TestKernel kernel(R"(
        mov.u32 %r1, 0; mov.u32 %r2, 0;
    LOOP:
        setp.gt.u32 %p1, %r1, %r9;
        @%p1 bra DONE;
        add.u32 %r2, %r2, %r1;
        and.b32 %r3, %r1, 1;
        setp.eq.u32 %p2, %r3, 0;
        @!%p2 bra ODD;
        add.u32 %r2, %r2, 100;
    ODD:
        add.u32 %r1, %r1, 1;
        bra.uni LOOP;
    DONE:
        activemask.b32 %r4;
        cvt.u64.u32 %d1, %r2; cvt.u64.u32 %d2, %r4; shl.b64 %d2, %d2, 32; or.b64 %d1, %d1, %d2;
        st.global.u64 [%d10], %d1;)");
    for (std::string settings : {"race,strict", "shuffle=5"}) {
        runWell(kernel, settings);
        for (uint64_t lane = 0; lane < 32; lane++)
            CHECK_EQUAL(uint64_t(0xFFFFFFFF) << 32 | (lane * (lane + 1) / 2 + 100 * (lane / 2 + 1)), kernel.out[lane]);
    }
}

TEST(Warp_BranchTable_TakesEachLaneToItsTarget) {
    TestKernel kernel(R"(
        and.b32 %r1, %r9, 3;
    TABLE: .branchtargets A, B, A, C;
        brx.idx %r1, TABLE;
    A:  mov.u64 %d1, 10; bra END;
    B:  mov.u64 %d1, 20; bra END;
    C:  mov.u64 %d1, 30;
    END: st.global.u64 [%d10], %d1;)");
    runWell(kernel);
    for (size_t lane = 0; lane < 32; lane++)
        CHECK_EQUAL((std::vector<uint64_t>{10, 20, 10, 30})[lane % 4], kernel.out[lane]);
}

TEST(Warp_Shuffles_ReadTheirLanes) {
    const struct { const char* mode; const char* operands; uint64_t (*expected)(uint64_t lane); } modes[] = {
        {"up", "3, 0", [](uint64_t lane) { return lane >= 3 ? lane - 3 : lane; }},
        {"down", "4, 0x1F", [](uint64_t lane) { return lane + 4 < 32 ? lane + 4 : lane; }},
        {"down", "4, 0x181F", [](uint64_t lane) { return lane % 8 < 4 ? lane + 4 : lane; }}, // segments of 8
        {"bfly", "5, 0x1F", [](uint64_t lane) { return lane ^ 5; }},
        {"idx", "7, 0x1F", [](uint64_t) { return uint64_t(7); }},
        {"idx", "2, 0x101F", [](uint64_t lane) { return lane / 16 * 16 + 2; }}, // segments of 16
    };
    for (const auto& mode : modes) {
        TestKernel kernel("shfl.sync." + std::string(mode.mode) + ".b32 %r1|%p1, %r9, " + mode.operands +
                          ", 0xffffffff; cvt.u64.u32 %d1, %r1; "
                          "selp.u64 %d2, 0x100, 0, %p1; or.b64 %d1, %d1, %d2; st.global.u64 [%d10], %d1;");
        runWell(kernel);
        for (uint64_t lane = 0; lane < 32; lane++) {
            CHECK_EQUAL(mode.expected(lane), kernel.out[lane] & 0xFF);
            bool inside = mode.expected(lane) != lane || std::string(mode.mode) == "idx";
            CHECK_EQUAL(inside, (kernel.out[lane] & 0x100) != 0);
        }
    }
}

TEST(Warp_VotesAndMatches_AgreeOverTheMask) {
    TestKernel kernel(R"(
        setp.lt.u32 %p1, %r9, 5;
        vote.sync.ballot.b32 %r1, %p1, 0xffffffff;
        vote.sync.any.pred %p2, !%p1, 0xffffffff;
        vote.sync.all.pred %p3, %p1, 0xffffffff;
        shr.u32 %r2, %r9, 4;
        match.any.sync.b32 %r3, %r2, 0xffffffff;
        selp.u32 %r4, 1, 0, %p2; selp.u32 %r5, 2, 0, %p3; add.u32 %r4, %r4, %r5;
        shl.b32 %r4, %r4, 8; or.b32 %r1, %r1, %r4;
        mov.b64 %d1, {%r1, %r3};
        st.global.u64 [%d10], %d1;)");
    runWell(kernel);
    CHECK_EQUAL(uint64_t(0x0000FFFF) << 32 | 0x11F, kernel.out[0]);
    CHECK_EQUAL(uint64_t(0xFFFF0000) << 32 | 0x11F, kernel.out[31]);
}

TEST(Warp_HalvesThatShuffleApart_BothSucceed) {
    TestKernel kernel(R"(
        setp.lt.u32 %p1, %r9, 16;
        @%p1 bra LOW;
        shfl.sync.bfly.b32 %r1, %r9, 1, 0x1F, 0xffff0000;
        bra END;
    LOW: shfl.sync.bfly.b32 %r1, %r9, 2, 0x1F, 0x0000ffff;
    END: cvt.u64.u32 %d1, %r1; st.global.u64 [%d10], %d1;)");
    runWell(kernel);
    CHECK_EQUAL(uint64_t(2), kernel.out[0]);
    CHECK_EQUAL(uint64_t(30), kernel.out[31]);
}

TEST(Block_BarrierThatCounts_GivesTheCountToAll) {
    TestKernel kernel("setp.lt.u32 %p1, %r9, 77; bar.red.popc.u32 %r1, 0, %p1; cvt.u64.u32 %d1, %r1; st.global.u64 [%d10], %d1;");
    runWell(kernel, "race,strict,shuffle=9", 1, 100);
    CHECK_EQUAL(uint64_t(77), kernel.out[0]);
    CHECK_EQUAL(uint64_t(77), kernel.out[99]);
}

namespace {

// Each thread writes its word of shared memory a second time; `between` orders that or not;
// then it reads the word at its own offset ^ `bit`.
std::string exchange(const std::string& between, const std::string& bit) {
    return "shl.b32 %r1, %r9, 2; mov.u32 %r2, words; add.u32 %r3, %r2, %r1; st.shared.u32 [%r3], 0; bar.sync 0; st.shared.u32 [%r3], %r9;\n"
        + between + "\nxor.b32 %r4, %r1, " + bit
        + "; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4]; cvt.u64.u32 %d1, %r5; st.global.u64 [%d10], %d1;";
}

const char* const words = ".shared .align 4 .b8 words[256];";

} // namespace

TEST(Race_SharedExchangeBehindABarrier_IsWell) {
    TestKernel kernel(exchange("bar.sync 0;", "128"), words);
    runWell(kernel, "race,strict,shuffle=2", 1, 64);
    CHECK_EQUAL(uint64_t(32), kernel.out[0]);
}

TEST(Race_SharedExchangeWithoutABarrier_IsFound) {
    TestKernel kernel(exchange("", "128"), words);
    runBadly(kernel, 719, "race with");
}

TEST(Race_ExchangeInsideAWarp_NeedsAWarpBarrier) {
    TestKernel ordered(exchange("bar.warp.sync 0xffffffff;", "4"), words);
    runWell(ordered, "race,strict", 1, 64);
    TestKernel unordered(exchange("", "4"), words);
    runBadly(unordered, 719, "race with");
}

TEST(Race_ExchangeInsideAPartOfAWarp_IsOrderedForThatPartOnly) {
    const std::string partSync = "setp.lt.u32 %p1, %r9, 16; @%p1 bar.warp.sync 0x0000ffff; @!%p1 bar.warp.sync 0xffff0000;";
    TestKernel inside(exchange(partSync, "4"), words);
    runWell(inside, "race", 1, 32);
    TestKernel across(exchange(partSync, "64"), words);
    runBadly(across, 719, "race with", "race", 1, 32);
}

TEST(Race_UnwrittenShared_IsFound) {
    TestKernel kernel("mov.u32 %r1, words; ld.shared.u32 %r2, [%r1]; st.global.u32 [%d10], %r2;", words);
    runBadly(kernel, 719, "nobody wrote");
}

TEST(Race_BlocksThatWriteTheSamePlace_AreFound_UnlessByAtomics) {
    TestKernel plain("st.global.u32 [%d9], 1;");
    runBadly(plain, 719, "another block writes", "race", 2, 1);
    TestKernel atomic("red.global.add.u32 [%d9], 1;");
    runWell(atomic, "race", 2, 64);
}

TEST(Race_LastBlockThatSumsTheOthersWork_IsWell_BehindFenceAndTicket) {
    const std::string code = R"(
        setp.ne.u32 %p1, %r9, 0; @%p1 bra END;
        mov.u32 %r1, %ctaid.x; mad.wide.u32 %d1, %r1, 4, %d9; st.global.u32 [%d1+64], %r1;
        FENCE
        atom.global.add.u32 %r2, [%d9+128], 1;
        ld.global.u32 %r3, [%d9+64];
    END:)";
    for (bool fenced : {true, false}) {
        std::string text = code;
        text.replace(text.find("FENCE"), 5, fenced ? "membar.gl;" : "");
        TestKernel kernel(text);
        if (fenced)
            runWell(kernel, "race", 3, 32);
        else
            runBadly(kernel, 719, "another block writes", "race", 3, 32);
    }
}

TEST(Race_SameValueFromOneInstruction_IsWell_DifferentValuesAreFound) {
    TestKernel same("st.global.u32 [%d9], 7;");
    runWell(same, "race", 1, 32);
    TestKernel different("st.global.u32 [%d9], %r9;");
    runBadly(different, 719, "by the same instruction", "race", 1, 32);
}

TEST(Strict_BarrierThatSomeSkip_IsFound) {
    TestKernel skipped("setp.lt.u32 %p1, %r9, 40; @!%p1 bra END; bar.sync 0; END:");
    runBadly(skipped, 719, "barrier", "strict", 1, 96);
    TestKernel parted("setp.lt.u32 %p1, %r9, 40; @%p1 bra HERE; bar.sync 0; bra END; HERE: bar.sync 0; END:");
    runBadly(parted, 719, "another one", "strict", 1, 64);
    runWell(parted, "", 1, 64);
}

TEST(Strict_LanesThatNeverCome_AreFound) {
    TestKernel shuffle("setp.lt.u32 %p1, %r9, 16; @!%p1 bra END; shfl.sync.down.b32 %r1, %r9, 16, 0x1F, 0xffffffff; END:");
    runBadly(shuffle, 719, "does not take part", "strict", 1, 32);
    TestKernel stranger("shfl.sync.bfly.b32 %r1, %r9, 1, 0x1F, 0x0000ffff;");
    runBadly(stranger, 719, "is not in the mask", "strict", 1, 32);
    TestKernel deadlock("setp.lt.u32 %p1, %r9, 16; @!%p1 bra WAIT; bar.warp.sync 0xffffffff; WAIT: bar.sync 0;");
    runBadly(deadlock, 719, "for ever", "", 1, 32);
}

TEST(Memory_WrongAddresses_AreFound) {
    const struct { const char* code; int error; const char* words; } wrong[] = {
        {"st.global.u32 [%d9+8192], 1;", 700, "0 bytes past the end"},
        {"ld.global.u32 %r1, [%d9+-4];", 700, "4 bytes before the allocation"},
        {"ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%d9+8];", 716, "not a multiple of 16"},
        {"mov.u64 %d1, 0; ld.global.u32 %r1, [%d1+16];", 700, "null pointer"},
        {"mov.u32 %r1, words; st.shared.u32 [%r1+256], 1;", 700, "shared memory"},
        {"mov.u64 %d1, words; cvta.shared.u64 %d1, %d1; ld.u32 %r1, [%d1+256];", 700, "shared memory"},
    };
    for (const auto& w : wrong) {
        TestKernel kernel(w.code, words);
        runBadly(kernel, w.error, w.words, "", 1, 1);
    }
}

TEST(Counters_OfAKnownKernel_AreRight) {
    // Every second float: all sectors of 256 bytes for half of their bytes. Two lanes of each bank.
    TestKernel kernel(
        "shl.b32 %r1, %r9, 3; cvt.u64.u32 %d1, %r1; add.u64 %d1, %d1, %d9; st.global.u32 [%d1], %r9; ld.global.u32 %r2, [%d1];"
        "mov.u32 %r3, words; add.u32 %r3, %r3, %r1; st.shared.u32 [%r3], %r2;",
        words);
    runWell(kernel, "count", 1, 32);
    const emulator::KernelCounters& k = kernel.counters.kernels.at("test");
    CHECK_EQUAL(1u, k.launches);
    CHECK_EQUAL(128u, k.bytesRead);
    CHECK_EQUAL(128u, k.bytesWritten);
    CHECK_EQUAL(128u, k.leastRead);
    CHECK_EQUAL(16u, k.sectors);
    CHECK_EQUAL(8u, k.leastSectors);
    CHECK_EQUAL(1u, k.bankConflicts);
    CHECK_EQUAL(32u * k.warpInstructions, k.threadInstructions);
}
