#include "counters.h"

#include <iterator>

namespace emulator {

std::string Counters::json() const {
    std::string text = "[";
    for (const auto& [name, k] : kernels) {
        const std::pair<const char*, uint64_t> values[] = {
            {"launches", k.launches},
            {"threadInstructions", k.threadInstructions},
            {"warpInstructions", k.warpInstructions},
            {"bytesRead", k.bytesRead},
            {"bytesWritten", k.bytesWritten},
            {"leastRead", k.leastRead},
            {"leastWritten", k.leastWritten},
            {"sectors", k.sectors},
            {"leastSectors", k.leastSectors},
            {"bankConflicts", k.bankConflicts},
            {"divergentBranches", k.divergentBranches},
            {"atomics", k.atomics},
            {"localBytes", k.localBytes},
            {"smallElementBytes", k.smallElementBytes},
            {"asyncBytes", k.asyncBytes},
            {"bfloat16Operations", k.bfloat16Operations},
            {"bfloat16MultiplyAdds", k.bfloat16MultiplyAdds},
            {"tf32Operations", k.tf32Operations},
            {"tf32MultiplyAdds", k.tf32MultiplyAdds},
            {"floatFused", k.floatFused},
            {"floatProducts", k.floatProducts},
            {"floatSums", k.floatSums},
        };
        text += text.size() > 1 ? ",\n{\"kernel\":\"" : "{\"kernel\":\"";
        text += name + "\"";
        for (auto [key, value] : values)
            text += std::string(",\"") + key + "\":" + std::to_string(value);
        text += "}";
    }
    return text + "]";
}

} // namespace emulator
