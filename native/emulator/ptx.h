// PTX as the interpreter wants it: decoded once, when a module is loaded, into instructions whose operands are places in
// a warp's register file. A register is an array over the 32 lanes of a warp (4 or 8 bytes per lane; a predicate is one
// bit per lane). Constants and special registers (tid, ctaid, ...) are registers too, so that no instruction asks of what
// kind its operands are.
#pragma once

#include "memory.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

class Warp;
struct Instruction;
struct Module;

using LaneMask = uint32_t; // bit l: lane l of a warp

/// Carries out one instruction for the lanes in `active`.
using Execute = void (*)(Warp& warp, const Instruction& instruction, LaneMask active);

enum class Space : uint8_t { Generic, Global, Constant, Shared, Local, Parameter };

/// What is counted of an instruction's arithmetic: float32 only.
enum class Arithmetic : uint8_t { Other, Fused, Product, Sum };

struct Instruction {
    Execute execute = nullptr;
    uint32_t guard = 0;                    // the guarding predicate; 0 is always true
    LaneMask guardFlip = 0;                // all ones for @!p
    std::array<uint32_t, 6> operands = {}; // places in the register file (bytes), or numbers of predicates
    int64_t immediate = 0;                 // offset of an address, branch target, table of lop3, number of an operand list, ...
    uint32_t index = 0;                    // its own index in the kernel
    uint32_t runEnd = 0;                   // the instructions from this one up to here run one after the other
    Space space = Space::Generic;          // of a memory access
    uint8_t bytes = 0;                     // of a memory access, a lane
    uint8_t elementBytes = 0;              // of a memory access, as its type says
    bool touchesMemory = false;
    bool endsRun = false;                  // may jump, leave or wait
    Arithmetic arithmetic = Arithmetic::Other;
};

/// Where an instruction came from.
struct Statement {
    uint32_t ptxLine = 0;
    uint32_t sourceFile = 0; // index in Module::files; 0: not known
    uint32_t sourceLine = 0;
};

/// The operands of an instruction that has more than six: mma. Kept apart, so that an Instruction is one line of the cache.
using OperandList = std::array<uint32_t, 14>;

struct Parameter {
    std::string name;
    std::string type; // "u64", "f32", "b8" (an array or a struct)
    size_t offset = 0;
    size_t bytes = 0;
    size_t alignment = 1;
};

/// A constant that every lane of a register holds from the start.
struct Constant {
    uint32_t place = 0;
    uint64_t bits = 0;
    bool wide = false; // 8 bytes per lane
};

/// A 4-byte register that the launch fills in.
struct SpecialRegister {
    enum class Kind : uint8_t {
        ThreadX, ThreadY, ThreadZ, BlockSizeX, BlockSizeY, BlockSizeZ, BlockX, BlockY, BlockZ, GridX, GridY, GridZ,
        Lane, Warp, WarpCount, LanesEqual, LanesBelow, LanesUpTo, LanesAbove, LanesFrom, DynamicSharedBytes, TotalSharedBytes,
    };
    Kind kind = Kind::ThreadX;
    uint32_t place = 0;
};

struct Kernel {
    std::string name;
    const Module* module = nullptr;
    std::vector<Parameter> parameters;
    size_t parameterBytes = 0;
    size_t registerBytes = 0;   // register file of one warp
    size_t predicates = 1;      // number 0 is always true
    size_t staticShared = 0;  // bytes; dynamic shared memory begins at dynamicSharedOffset
    size_t dynamicSharedOffset = 0;
    size_t localBytes = 0;    // a thread
    uint32_t maxThreads = 256; // from .maxntid / .reqntid; without, a thread may get 255 registers, and a card has 65,536 for a block
    std::vector<Constant> constants;
    std::vector<SpecialRegister> specialRegisters;
    std::vector<Instruction> instructions;
    std::vector<Statement> statements; // where each instruction came from
    std::vector<std::vector<uint32_t>> branchTables; // of brx.idx
    std::vector<OperandList> operandLists;           // of mma
    std::vector<std::array<uint32_t, 3>> arithmetic; // fused, products and sums among the instructions before each, and before the end
};

/// A .global or .const variable of a module; lives as long as the module.
struct Variable {
    std::string name;
    Space space = Space::Global;
    Allocation storage;
};

struct Module {
    std::vector<std::string> lines; // the PTX text, for messages
    std::vector<std::string> files; // of .file; index 0 is unused
    std::string version, target;
    std::vector<std::unique_ptr<Kernel>> kernels;
    std::vector<Variable> variables;
    std::vector<std::unique_ptr<std::byte[]>> variableBytes;

    int capability() const;    // of the target: 80 for sm_80
    int versionNumber() const; // 78 for 7.8
    const Kernel* find(std::string_view kernelName) const;
    const Variable* findVariable(std::string_view variableName) const;
    const Variable* variableAt(uint64_t address) const;
};

/// A PTX text that cannot be run: the message has the line.
struct PtxError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Parses and decodes a PTX text; throws PtxError. Kernels point to their module, so it does not move.
std::unique_ptr<Module> parseModule(std::string_view text);

} // namespace emulator
