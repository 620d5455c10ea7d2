// The least that tests need: TEST(Subject_Condition_Expectation) { CHECK(...); CHECK_EQUAL(expected, actual); }
#pragma once

#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace testing {

struct Test {
    const char* name;
    void (*body)();
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

inline bool add(const char* name, void (*body)()) {
    tests().push_back({name, body});
    return true;
}

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <typename Expected, typename Actual>
void checkEqual(const char* file, int line, const char* text, const Expected& expected, const Actual& actual) {
    if (expected == actual) return;
    std::ostringstream message;
    message << text << " is " << actual << ", not " << expected;
    fail(file, line, message.str());
}

} // namespace testing

#define TEST(name)                                                       \
    static void name();                                                  \
    static const bool name##_added = testing::add(#name, name);          \
    static void name()

#define CHECK(condition) \
    if (!(condition)) testing::fail(__FILE__, __LINE__, #condition " does not hold")

#define CHECK_EQUAL(expected, actual) testing::checkEqual(__FILE__, __LINE__, #actual, expected, actual)
