// Turns the written instructions of one kernel into Instructions: finds the function that carries out an opcode, and gives every register,
// constant and special register its place in the register file.
#pragma once

#include "interpreter_opcodes.h"
#include "ptx.h"
#include "ptx_text.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace emulator {

// Predicates with a fixed number.
inline constexpr uint32_t alwaysTrue = 0, carryPredicate = 1, alwaysFalse = 2, sparePredicate = 3, firstFreePredicate = 4;
inline constexpr uint32_t noPlace = ~uint32_t(0);

/// What a name in a kernel stands for.
struct Symbol {
    enum class Kind : uint8_t { Register, Variable, DynamicShared };
    Kind kind = Kind::Register;
    Place place = Place::Narrow; // of a register
    uint32_t number = 0;         // of a register: its place; of a predicate: its number; of a module's shared variable: its alignment
    Space space = Space::Generic;
    uint64_t address = 0;        // of a variable, in its space
    size_t bytes = 0;
};

using Scope = std::unordered_map<std::string, Symbol>;

class KernelDecoder {
public:
    /// `moduleScope`: variables of the module; its shared variables get their place in the kernel's shared memory when the kernel uses them.
    KernelDecoder(Kernel& target, const Scope& moduleScope);

    void openScope() { scopes_.emplace_back(); }
    void closeScope() { scopes_.pop_back(); }
    void declareRegister(const std::string& name, std::string_view type);
    void declareVariable(const std::string& name, Space space, size_t bytes, size_t alignment);
    void declareDynamicShared(const std::string& name) { scopes_.back()[name] = {.kind = Symbol::Kind::DynamicShared}; }
    void defineLabel(const std::string& name);
    void defineTable(std::vector<std::string> labels); // under the label just defined
    void setSource(uint32_t file, uint32_t line) { sourceFile_ = file, sourceLine_ = line; }
    void decode(const WrittenInstruction& written);
    void finish();

private:
    struct Jump { // its target is known when all labels are
        uint32_t instruction;
        std::string label;
        uint32_t line;
    };

    [[noreturn]] void fail(const std::string& what) const;
    Symbol* find(std::string_view name);

    // ptx_places.cpp: the register file
    uint32_t newPlace(Place place);
    uint32_t constant(uint64_t bits, Place place);
    uint32_t specialRegister(std::string_view name); // its place, or noPlace
    uint32_t addressConstant(const Symbol& symbol, Place place);
    Place sizeOf(const Operand& operand);
    uint32_t input(const Operand& operand, Place wanted, bool isSigned = false); // a register of another size is converted
    uint32_t output(const Operand& operand, Place given, bool isSigned = false); // call convertOutputs after the instruction
    void convertOutputs();

    // ptx_decoder.cpp
    Instruction& emit(Execute execute, std::initializer_list<uint32_t> operands);
    void emitForm(const std::string& opcode, std::initializer_list<uint32_t> operands);
    void decodeByTable(bool isConversion);
    bool take(std::string_view modifier); // removes a modifier of the opcode; whether it was there
    bool takeAny(std::initializer_list<std::string_view> modifiers);
    std::string opcodeKey() const;
    const Operand& operand(size_t n) const;
    void expectOperands(size_t least, size_t most) const;

    // ptx_decoder_memory.cpp
    void decodeMove();
    void decodeVectorMove();
    void decodeMemory(bool write);
    void decodeAtomic(bool wantsResult);
    void decodeAddressConversion();
    Space takeSpace();
    void checkParameterAccess(const Operand& address, size_t bytes);
    std::pair<uint32_t, bool> addressPlace(const Operand& address); // and whether it has 8 bytes a lane

    // ptx_decoder_control.cpp
    void decodeBranch(bool indexed);
    void decodeBarrier();
    void decodeWarpOperation();
    void finishControlFlow();

    Kernel& kernel_;
    const Scope& moduleScope_;
    std::vector<Scope> scopes_;
    std::map<std::pair<uint64_t, Place>, uint32_t> constants_;
    std::unordered_map<std::string, uint32_t> special_;
    std::array<uint32_t, 2> dynamicSharedPlaces_ = {noPlace, noPlace}; // of its address in 4 and in 8 bytes
    std::vector<size_t> dynamicSharedConstants_;                               // indexes in Kernel::constants
    struct OutputConversion {
        uint32_t from, to;
        bool widen, isSigned;
    };
    std::vector<OutputConversion> outputs_;

    std::vector<Jump> jumps_;
    std::unordered_map<std::string, uint32_t> labels_; // to instructions
    std::unordered_map<std::string, uint32_t> tableNames_;
    std::vector<std::vector<std::string>> tables_;
    std::string lastLabel_;

    WrittenInstruction written_; // the one being decoded
    uint32_t guard_ = 0;
    LaneMask guardFlip_ = 0;
    uint32_t sourceFile_ = 0, sourceLine_ = 0;
};

} // namespace emulator
