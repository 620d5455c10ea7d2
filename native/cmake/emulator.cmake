# Targets `emulator` and `emulator_tests`. The libraries have the names that programs load NVIDIA's by, in one folder.
set(emulator_output "${CMAKE_BINARY_DIR}/emulator")
file(GLOB emulator_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/emulator/*.cpp")
set(cublas_sources ${emulator_sources})
list(FILTER emulator_sources EXCLUDE REGEX "/cublas_[^/]*\\.cpp$")
list(FILTER cublas_sources INCLUDE REGEX "/cublas_[^/]*\\.cpp$")
add_library(emulator_cuda SHARED ${emulator_sources})
add_library(emulator_cublas SHARED ${cublas_sources})
target_link_libraries(emulator_cublas PRIVATE emulator_cuda)

# Wide vectors and fused multiply-add, where this machine has them: the same results, several times as fast.
include(CheckCXXSourceRuns)
set(CMAKE_REQUIRED_FLAGS "-march=x86-64-v3")
check_cxx_source_runs("#include <cmath>
int main(int count, char**) {
    float sum = 0;
    for (int n = 0; n < 64; n++)
        sum = std::fma(sum, static_cast<float>(count), static_cast<float>(n));
    return sum > 0 ? 0 : 1;
}" EMULATOR_WIDE_VECTORS)
unset(CMAKE_REQUIRED_FLAGS)

foreach(library emulator_cuda emulator_cublas)
    target_include_directories(${library} PUBLIC "${CMAKE_SOURCE_DIR}/native/emulator")
    # A product and a sum must stay two roundings, as the PTX says; nobody looks at errno or at floating-point traps.
    if(MSVC)
        target_compile_options(${library} PRIVATE /W4 /fp:precise)
    else()
        target_compile_options(${library} PRIVATE -O3 -Wall -Wextra -ffp-contract=off -fno-math-errno -fno-trapping-math
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> # gcc 12 warns of every text + text
            $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed> # of loops that it is asked, and fails, to vectorise
            $<$<BOOL:${EMULATOR_WIDE_VECTORS}>:-march=x86-64-v3>)
    endif()
    set_target_properties(${library} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "$<1:${emulator_output}>"
        RUNTIME_OUTPUT_DIRECTORY "$<1:${emulator_output}>"
        WINDOWS_EXPORT_ALL_SYMBOLS ON
        BUILD_RPATH "\$ORIGIN"
        BUILD_WITH_INSTALL_RPATH ON
        INSTALL_RPATH "\$ORIGIN")
endforeach()
if(WIN32)
    set_target_properties(emulator_cuda PROPERTIES OUTPUT_NAME nvcuda)
    set_target_properties(emulator_cublas PROPERTIES OUTPUT_NAME cublas64_12)
else()
    set_target_properties(emulator_cuda PROPERTIES OUTPUT_NAME cuda VERSION 1 SOVERSION 1)
    set_target_properties(emulator_cublas PROPERTIES OUTPUT_NAME cublas VERSION 12 SOVERSION 12)
endif()
add_custom_target(emulator DEPENDS emulator_cuda emulator_cublas)

file(GLOB emulator_test_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/emulator/tests/*.cpp")
add_executable(emulator_tests EXCLUDE_FROM_ALL ${emulator_test_sources})
target_link_libraries(emulator_tests PRIVATE emulator_cublas emulator_cuda)
set_target_properties(emulator_tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY "$<1:${emulator_output}>")
enable_testing()
add_test(NAME emulator_tests COMMAND emulator_tests)
