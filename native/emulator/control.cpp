#include "control.h"

#include "driver.h"

#include <algorithm>
#include <cstring>

using namespace emulator;

namespace {

int give(const std::string& whole, char* text, int size) {
    if (text != nullptr && size > 0) {
        const size_t fits = std::min<size_t>(whole.size(), size - 1);
        std::memcpy(text, whole.data(), fits);
        text[fits] = 0;
    }
    return static_cast<int>(whole.size());
}

int count(long Counts::*of) {
    std::lock_guard lock(driver().mutex);
    return static_cast<int>(driver().counts.*of);
}

} // namespace

EMULATOR_API const char* tinymoe_emulator_configure(const char* list) {
    std::lock_guard lock(driver().mutex);
    static std::string wrong;
    Settings settings;
    wrong = parseSettings(list == nullptr ? "" : list, settings);
    if (!wrong.empty()) return wrong.c_str();

    for (const auto& context : driver().contexts) {
        advanceAll(*context);
        context->error = CUDA_SUCCESS;
    }
    driver().settings = settings;
    driver().settingsError.clear();
    driver().counts = {};
    driver().counters = {};
    driver().findings.clear();
    return nullptr;
}

EMULATOR_API int tinymoe_emulator_findings(char* text, int size) {
    std::lock_guard lock(driver().mutex);
    const int length = give(driver().findings, text, size);
    if (text != nullptr) driver().findings.clear();
    return length;
}

EMULATOR_API int tinymoe_emulator_counters(char* text, int size) {
    std::lock_guard lock(driver().mutex);
    const int length = give(driver().counters.json(), text, size);
    if (text != nullptr) driver().counters = {};
    return length;
}

EMULATOR_API int tinymoe_emulator_activity(char* text, int size) {
    std::lock_guard lock(driver().mutex);
    return give(driver().counts.json(), text, size);
}

EMULATOR_API int tinymoe_emulator_allocations() {
    std::lock_guard lock(driver().mutex);
    size_t live = 0;
    for (const auto& context : driver().contexts) live += context->memory.count();
    return static_cast<int>(live);
}

EMULATOR_API int tinymoe_emulator_synchronizations() { return count(&Counts::synchronizations); }
EMULATOR_API int tinymoe_emulator_launches() { return count(&Counts::launches); }
EMULATOR_API int tinymoe_emulator_products() { return count(&Counts::products); }
EMULATOR_API int tinymoe_emulator_graph_launches() { return count(&Counts::graphLaunches); }
EMULATOR_API int tinymoe_emulator_graph_nodes() { return count(&Counts::graphNodes); }
EMULATOR_API int tinymoe_emulator_allocation_calls() { return count(&Counts::allocations); }
