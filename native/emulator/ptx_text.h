// The grammar of PTX, as far as nvcc writes it: tokens, and instructions as they stand in the text, before decoding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

struct Token {
    std::string_view text; // a word (with its dots: "ld.global.f32"), a string without quotes, or one sign; empty: the end
    uint32_t line = 0;
    bool word = false;

    bool is(std::string_view other) const { return text == other; }
};

struct Operand {
    enum class Kind : uint8_t { Name, Number, Address, Vector, Sink };
    Kind kind = Kind::Name;
    std::string_view name;     // a register, variable, label, or the base of an address; empty: an address without a name
    uint64_t bits = 0;         // of a number: an integer, or the bit pattern of a float
    uint8_t floatBytes = 0;    // of a number: 4 or 8 where it was written as a float
    int64_t offset = 0;        // of an address
    bool negated = false;      // !%p
    std::vector<Operand> elements; // of a vector {a, b}
};

/// One instruction as written: "@!%p1 ld.global.v2.f32 {%f1, %f2}, [%rd1+8];". `a|b` counts as two operands.
struct WrittenInstruction {
    std::string_view guard; // empty: none
    bool guardNegated = false;
    std::vector<std::string_view> opcode; // "ld", "global", "v2", "f32"
    std::string_view opcodeText;
    std::vector<Operand> operands;
    bool paired = false; // the first two operands were written a|b
    uint32_t line = 0;
};

/// Goes through the tokens of a text; what is not as it should be is a PtxError with its line.
class TokenReader {
public:
    explicit TokenReader(std::string_view text);

    const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    Token next() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_.back(); }
    void back(size_t count) { at_ -= count; }
    bool accept(std::string_view text); // takes the next token if it is this one
    void expect(std::string_view text);
    std::string_view expectWord();
    uint64_t expectInteger();
    Operand parseOperand();
    void skipBraces();
    void skipStatement();
    [[noreturn]] void fail(const std::string& what) const;

private:
    Operand parseNumber(std::string_view word, bool negative);

    std::vector<Token> tokens_; // the last one is empty
    size_t at_ = 0;
};

/// Bytes of a type such as "u32", "f64", "b8"; 0: not a type.
unsigned typeBytes(std::string_view type);

} // namespace emulator
