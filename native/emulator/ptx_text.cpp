#include "ptx_text.h"

#include "ptx.h"

#include <bit>
#include <cctype>
#include <charconv>

namespace emulator {

namespace {

bool inWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.';
}

} // namespace

TokenReader::TokenReader(std::string_view text) {
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
            tokens_.push_back({text.substr(at + 1, end - at - 1), line, true});
            at = end + 1;
        } else if (inWord(c)) {
            size_t end = at;
            while (end < text.size() && (inWord(text[end]) || text.substr(end, 2) == "::" || (text[end] == ':' && text[end - 1] == ':')))
                end++;
            tokens_.push_back({text.substr(at, end - at), line, true});
            at = end;
        } else {
            tokens_.push_back({text.substr(at, 1), line, false});
            at++;
        }
    }
    tokens_.push_back({{}, line, false});
}

void TokenReader::fail(const std::string& what) const {
    throw PtxError("PTX line " + std::to_string(peek().line) + ": " + what);
}

bool TokenReader::accept(std::string_view text) {
    if (!peek().is(text))
        return false;
    next();
    return true;
}

void TokenReader::expect(std::string_view text) {
    if (!accept(text))
        fail("'" + std::string(text) + "' was expected, not '" + std::string(peek().text) + "'");
}

std::string_view TokenReader::expectWord() {
    if (!peek().word)
        fail("a word was expected, not '" + std::string(peek().text) + "'");
    return next().text;
}

uint64_t TokenReader::expectInteger() {
    Operand number = parseOperand();
    if (number.kind != Operand::Kind::Number)
        fail("a number was expected");
    return number.bits;
}

void TokenReader::skipBraces() {
    expect("{");
    for (int depth = 1; depth > 0;) {
        if (peek().text.empty())
            fail("a '}' is missing");
        Token token = next();
        depth += token.is("{") ? 1 : token.is("}") ? -1 : 0;
    }
}

void TokenReader::skipStatement() {
    while (!accept(";")) {
        if (peek().text.empty())
            fail("a ';' is missing");
        next();
    }
}

Operand TokenReader::parseOperand() {
    Operand operand;
    if (accept("{")) {
        operand.kind = Operand::Kind::Vector;
        do
            operand.elements.push_back(parseOperand());
        while (accept(","));
        expect("}");
        return operand;
    }
    if (accept("[")) {
        operand = parseOperand();
        if (operand.kind == Operand::Kind::Number) {
            operand.offset = int64_t(operand.bits);
            operand.name = {};
        }
        operand.kind = Operand::Kind::Address;
        expect("]");
        return operand;
    }
    operand.negated = accept("!");
    bool negative = accept("-");
    std::string_view word = expectWord();
    if (word == "_") {
        operand.kind = Operand::Kind::Sink;
    } else if (word[0] >= '0' && word[0] <= '9') {
        return parseNumber(word, negative);
    } else {
        operand.name = word;
        while (peek().is("+") || peek().is("-")) {
            bool minus = next().is("-");
            auto offset = int64_t(expectInteger()); // "+-8" is written too
            operand.offset += minus ? -offset : offset;
        }
    }
    return operand;
}

// 12, -12, 0x1F, 0b101, 12U, 0f3F800000 (float32 bits), 0d3FF0000000000000 (float64 bits), 1.5
Operand TokenReader::parseNumber(std::string_view word, bool negative) {
    Operand number;
    number.kind = Operand::Kind::Number;
    std::string_view digits = word;
    int base = 10;
    char mark = word.size() > 1 && word[0] == '0' ? word[1] : '0';
    if (mark == 'f' || mark == 'F' || mark == 'd' || mark == 'D') {
        base = 16;
        digits.remove_prefix(2);
        number.floatBytes = mark == 'f' || mark == 'F' ? 4 : 8;
    } else if (mark == 'x' || mark == 'X') {
        base = 16;
        digits.remove_prefix(2);
    } else if (mark == 'b' || mark == 'B') {
        base = 2;
        digits.remove_prefix(2);
    } else if (word.find('.') != std::string_view::npos) {
        number.floatBytes = 8;
        double value = std::stod(std::string(word));
        number.bits = std::bit_cast<uint64_t>(negative ? -value : value);
        return number;
    } else if (word.size() > 1 && word[0] == '0') {
        base = 8;
    }
    if (digits.ends_with('U'))
        digits.remove_suffix(1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number.bits, base);
    if (error != std::errc() || end != digits.data() + digits.size())
        fail("'" + std::string(word) + "' is not a number");
    if (negative)
        number.bits = 0 - number.bits;
    return number;
}

unsigned typeBytes(std::string_view type) {
    if (type.size() < 2 || std::string_view("busf").find(type[0]) == std::string_view::npos)
        return 0;
    std::string_view bits = type.substr(1);
    return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
}

} // namespace emulator
