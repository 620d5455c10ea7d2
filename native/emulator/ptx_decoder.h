// Turns the written instructions of one kernel into Instructions: finds the function that carries out an opcode, and gives every register,
// constant and special register its place in the register file. While it decodes, operands are numbers of values; `finish` looks which
// values live at the same time and lets the others share places, since a compiler's kernel names thousands of registers.
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

/// An operand while decoding: the number of a predicate, marked, or of a value of 4 or 8 bytes per lane.
using ValueId = uint32_t;
inline constexpr ValueId predicateMark = uint32_t(1) << 31;
inline constexpr ValueId noValue = ~uint32_t(0);

// Predicates with a fixed number; the interpreter knows the first two.
inline constexpr ValueId alwaysTrue = predicateMark | 0, carryPredicate = predicateMark | 1, alwaysFalse = predicateMark | 2,
                         sparePredicate = predicateMark | 3;
inline constexpr size_t fixedPredicates = 4;

/// What a name in a kernel stands for.
struct Symbol {
    enum class Kind : uint8_t { Register, Variable, DynamicShared };
    Kind kind = Kind::Register;
    Place place = Place::Narrow; // of a register
    ValueId value = noValue;     // of a register
    uint32_t alignment = 1;      // of a shared variable of the module
    Space space = Space::Generic;
    uint64_t address = 0;        // of a variable, in its space
    size_t bytes = 0;
};

using Scope = std::unordered_map<std::string, Symbol>;

class KernelDecoder {
public:
    /// `moduleScope`: variables of the module; its shared variables get
    /// their place in the kernel's shared memory when the kernel uses them.
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

    // ptx_values.cpp: registers, constants, special registers, addresses
    ValueId newValue(Place place, bool stays = false);
    ValueId constant(uint64_t bits, Place place);
    ValueId specialRegister(std::string_view name); // or noValue
    ValueId addressConstant(const Symbol& symbol, Place place);
    Place sizeOf(const Operand& operand);
    ValueId input(const Operand& operand, Place wanted, bool isSigned = false); // a register of another size is converted
    ValueId output(const Operand& operand, Place given, bool isSigned = false); // convertOutputs does that after the instruction
    void convertOutputs();

    // ptx_decoder.cpp
    Instruction& emit(Execute execute, size_t results, const std::vector<ValueId>& operands); // the results come first
    void emitForm(const std::string& opcode, const std::vector<ValueId>& operands);
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
    std::pair<ValueId, bool> addressBase(const Operand& address); // and whether it has 8 bytes per lane

    // ptx_decoder_matrix.cpp
    void requireTarget(int capability, int version) const; // 80: sm_80, 70: PTX 7.0
    std::vector<ValueId> registers(const Operand& operand, size_t count, bool areResults); // of a vector {a, b}, 4 bytes per lane
    void decodeMultiply();
    void decodeMatrixLoad();
    void decodeAsyncCopy();

    // ptx_decoder_control.cpp
    void decodeBranch(bool indexed);
    void decodeBarrier();
    void decodeWarpOperation();
    void finishControlFlow();

    // ptx_registers.cpp
    struct LifeSpan { // from the first to the last instruction where a value is needed
        uint32_t first = noValue, last = 0;
    };
    uint32_t* operandsOf(uint32_t instruction);
    std::vector<LifeSpan> findLifeSpans();
    void placeValues();

    Kernel& kernel_;
    const Scope& moduleScope_;
    std::vector<Scope> scopes_;
    std::map<std::pair<uint64_t, Place>, ValueId> constants_;
    std::unordered_map<std::string, ValueId> special_;
    std::array<ValueId, 2> dynamicSharedAddress_ = {noValue, noValue}; // in 4 and in 8 bytes
    std::vector<size_t> dynamicSharedConstants_;                       // indexes in Kernel::constants
    struct Value {
        Place place = Place::Narrow;
        bool stays = false; // a constant or a special register: its place is its own
    };
    std::vector<Value> values_;
    struct OperandCount {
        uint8_t results = 0, all = 0;
    };
    std::vector<OperandCount> operandCounts_; // by instruction
    struct OutputConversion {
        ValueId from, to;
        bool widen, isSigned;
    };
    std::vector<OutputConversion> outputs_;

    std::vector<Jump> jumps_;
    std::unordered_map<std::string, uint32_t> labels_; // to instructions
    std::unordered_map<std::string, uint32_t> tableNames_;
    std::vector<std::vector<std::string>> tables_;
    std::string lastLabel_;

    WrittenInstruction written_; // the one being decoded
    ValueId guard_ = alwaysTrue;
    LaneMask guardFlip_ = 0;
    uint32_t sourceFile_ = 0, sourceLine_ = 0;
};

} // namespace emulator
