#include "settings.h"

#include <charconv>
#include <functional>
#include <map>

namespace emulator {
namespace {

// A whole number, with K, M or G behind it where `sized`. False: it is not one.
template <typename Number>
bool parseNumber(std::string_view text, Number& number, bool sized = false) {
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{}) return false;
    if (rest == end) return true;
    if (!sized || rest + 1 != end) return false;

    switch (*rest) {
        case 'K': number <<= 10; return true;
        case 'M': number <<= 20; return true;
        case 'G': number <<= 30; return true;
        default: return false;
    }
}

// "8.0" as 80.
bool parseCapability(std::string_view text, int& capability) {
    const size_t dot = text.find('.');
    int major = 0, minor = 0;
    if (dot == std::string_view::npos) return false;
    if (!parseNumber(text.substr(0, dot), major) || !parseNumber(text.substr(dot + 1), minor)) return false;
    capability = major * 10 + minor;
    return major >= 5 && major <= 12 && minor >= 0 && minor <= 9;
}

} // namespace

std::string parseSettings(std::string_view list, Settings& settings) {
    settings = Settings{};
    const std::map<std::string_view, bool*> flags = {
        {"race", &settings.race},           {"strict", &settings.strict},        {"lazy", &settings.lazy},
        {"count", &settings.count},         {"no_device", &settings.noDevice},   {"old_driver", &settings.oldDriver},
        {"no_grouped", &settings.noGrouped}};
    const std::map<std::string_view, std::function<bool(std::string_view)>> values = {
        {"shuffle", [&](auto text) { return parseNumber(text, settings.shuffle); }},
        {"devices", [&](auto text) { return parseNumber(text, settings.devices) && settings.devices >= 1 && settings.devices <= 16; }},
        {"capability", [&](auto text) { return parseCapability(text, settings.capability); }},
        {"memory", [&](auto text) { return parseNumber(text, settings.memory, true) && settings.memory > 0; }},
        {"fail_alloc", [&](auto text) { return parseNumber(text, settings.failAllocation) && settings.failAllocation >= 1; }},
        {"fail_launch", [&](auto text) { return parseNumber(text, settings.failLaunch) && settings.failLaunch >= 1; }},
        {"fail_grouped", [&](auto text) { return parseNumber(text, settings.failGrouped) && settings.failGrouped >= 1; }},
        {"oom_launch", [&](auto text) { return parseNumber(text, settings.oomLaunch) && settings.oomLaunch >= 1; }},
        {"oom_module", [&](auto text) { return parseNumber(text, settings.oomModule) && settings.oomModule >= 1; }},
        {"oom_product", [&](auto text) { return parseNumber(text, settings.oomProduct) && settings.oomProduct >= 1; }}};

    while (!list.empty()) {
        const size_t comma = list.find(',');
        const std::string_view word = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
        if (word.empty()) continue;

        const size_t equals = word.find('=');
        const std::string_view name = word.substr(0, equals);
        if (equals == std::string_view::npos) {
            const auto flag = flags.find(name);
            if (flag == flags.end()) return "unknown setting '" + std::string(word) + "'";
            *flag->second = true;
        } else {
            const auto value = values.find(name);
            if (value == values.end()) return "unknown setting '" + std::string(word) + "'";
            if (!value->second(word.substr(equals + 1))) return "bad value in '" + std::string(word) + "'";
        }
    }
    return {};
}

} // namespace emulator
