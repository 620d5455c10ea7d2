// Runs all tests, or those whose names contain the first argument.
#include "testing.h"

#include <cstring>

int main(int count, char** arguments) {
    int passed = 0, failed = 0;
    for (const auto& test : testing::tests()) {
        if (count > 1 && std::strstr(test.name, arguments[1]) == nullptr) continue;
        try {
            test.body();
            passed++;
        } catch (const std::exception& error) {
            std::printf("%s: %s\n", test.name, error.what());
            failed++;
        }
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
