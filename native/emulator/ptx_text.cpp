#include "ptx_text.h"

#include <cctype>

namespace emulator {

namespace {

bool inWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.';
}

} // namespace

std::vector<Token> tokenize(std::string_view text) {
    std::vector<Token> tokens;
    uint32_t line = 1;
    for (size_t at = 0; at < text.size();) {
        char c = text[at];
        if (c == '\0')
            break;
        if (c == '\n') {
            line++;
            at++;
        } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            at++;
        } else if (text.substr(at, 2) == "//") {
            at = std::min(text.find('\n', at), text.size());
        } else if (text.substr(at, 2) == "/*") {
            size_t end = std::min(text.find("*/", at), text.size() - 2) + 2;
            for (; at < end; at++)
                line += text[at] == '\n';
        } else if (c == '"') {
            size_t end = std::min(text.find('"', at + 1), text.size());
            tokens.push_back({text.substr(at + 1, end - at - 1), line, true});
            at = end + 1;
        } else if (inWord(c)) {
            size_t end = at;
            while (end < text.size() && (inWord(text[end]) || text.substr(end, 2) == "::" || (text[end] == ':' && text[end - 1] == ':')))
                end++;
            tokens.push_back({text.substr(at, end - at), line, true});
            at = end;
        } else {
            tokens.push_back({text.substr(at, 1), line, false});
            at++;
        }
    }
    tokens.push_back({{}, line, false});
    return tokens;
}

unsigned typeBytes(std::string_view type) {
    if (type.size() < 2 || std::string_view("busf").find(type[0]) == std::string_view::npos)
        return 0;
    std::string_view bits = type.substr(1);
    return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
}

} // namespace emulator
