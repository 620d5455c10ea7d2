// What tests ask of the emulated device beside the driver's own entry points: C functions of the emulated libcuda.
#pragma once

#include "cuda_api.h"

/// New settings, in the words of settings.h. Work that still waits in streams runs first, under the old ones; then counts,
/// counters, findings and the errors of broken contexts are forgotten. Null: well; else what is wrong with the list, good
/// until the next call, and nothing has changed.
EMULATOR_API const char* tinymoe_emulator_configure(const char* settings);

/// Everything found wrong since the last call, as text; a JSON array of the counters of each kernel that ran in mode `count`.
/// Both return the length of the whole text without its final NUL; what fits into `size` is copied and the text is
/// forgotten. With a null `text` they only tell the length.
EMULATOR_API int tinymoe_emulator_findings(char* text, int size);
EMULATOR_API int tinymoe_emulator_counters(char* text, int size);

/// What was asked of the device since the settings were made, as a JSON object: launches, products, synchronizations, allocations, and
/// copies and fills with their bytes. Text as above, but nothing is forgotten.
EMULATOR_API int tinymoe_emulator_activity(char* text, int size);

/// Live device allocations of all devices.
EMULATOR_API int tinymoe_emulator_allocations();

/// Calls since the settings were made: those that let the host wait for the device (a synchronise, a synchronous copy, a
/// copy to pageable memory, freeing), kernel launches, matrix products through cuBLAS, allocations of device memory; launches of
/// graphs and the operations in them. What a graph does is no launch and no product of its own.
EMULATOR_API int tinymoe_emulator_synchronizations();
EMULATOR_API int tinymoe_emulator_launches();
EMULATOR_API int tinymoe_emulator_products();
EMULATOR_API int tinymoe_emulator_allocation_calls();
EMULATOR_API int tinymoe_emulator_graph_launches();
EMULATOR_API int tinymoe_emulator_graph_nodes();
