# Targets `ptx` and `ptxas-report`. NVCC and PTXAS can be given (-DNVCC=/path/to/nvcc); else PATH and CUDA_PATH are searched.
include("${CMAKE_CURRENT_LIST_DIR}/kernel_sources.cmake")

find_program(NVCC nvcc HINTS ENV CUDA_PATH PATH_SUFFIXES bin DOC "NVIDIA's CUDA compiler")
if(NOT NVCC)
    message(STATUS "nvcc was not found (-DNVCC=...): the targets ptx and ptxas-report are left out; "
        "the committed native/ptx is used as it is.")
    return()
endif()

# ptxas lies beside nvcc; a distribution's package may keep the real nvcc three folders deeper.
get_filename_component(nvcc_folder "${NVCC}" DIRECTORY)
find_program(PTXAS ptxas HINTS "${nvcc_folder}" "${nvcc_folder}/../../../bin" DOC "NVIDIA's PTX assembler")
if(NOT PTXAS)
    message(STATUS "ptxas was not found (-DPTXAS=...): the targets ptx and ptxas-report are left out.")
    return()
endif()

set(kernel_folder "${CMAKE_SOURCE_DIR}/native/kernels")
set(ptx_work_folder "${CMAKE_BINARY_DIR}/ptx")
file(GLOB kernel_sources CONFIGURE_DEPENDS "${kernel_folder}/*.cu")
if(NOT kernel_sources)
    message(STATUS "native/kernels has no .cu file: the targets ptx and ptxas-report are left out.")
    return()
endif()

# The results are committed, so they lie in the source tree; what the build compares times with is a stamp in the build tree.
set(ptx_stamps)
set(kernel_names)
foreach(source IN LISTS kernel_sources)
    get_filename_component(name "${source}" NAME_WLE)
    kernel_target("${name}" target ptxas_architectures)
    set(nvcc_flags -ptx -arch=${target} -O3 -lineinfo -allow-unsupported-compiler)
    kernel_files("${kernel_folder}" "${name}" files)
    list(TRANSFORM files PREPEND "${kernel_folder}/")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files}) # an #include more is a dependency more
    set(stamp "${ptx_work_folder}/${name}.stamp")
    add_custom_command(
        OUTPUT "${stamp}"
        COMMAND "${CMAKE_COMMAND}" "-DNAME=${name}" "-DREPOSITORY=${CMAKE_SOURCE_DIR}" "-DWORK=${ptx_work_folder}"
            "-DNVCC=${NVCC}" "-DPTXAS=${PTXAS}" "-DHOST_COMPILER=${CMAKE_CXX_COMPILER}"
            "-DFLAGS=${nvcc_flags}" "-DARCHITECTURES=${ptxas_architectures}"
            -P "${CMAKE_SOURCE_DIR}/native/cmake/build_ptx.cmake"
        COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
        DEPENDS ${files} "${CMAKE_SOURCE_DIR}/native/cmake/build_ptx.cmake"
        COMMENT "PTX of ${name}.cu"
        VERBATIM)
    list(APPEND ptx_stamps "${stamp}")
    list(APPEND kernel_names "${name}")
endforeach()
add_custom_target(ptx DEPENDS ${ptx_stamps})

add_custom_target(ptxas-report
    COMMAND "${CMAKE_COMMAND}" "-DWORK=${ptx_work_folder}" "-DNAMES=${kernel_names}"
        -P "${CMAKE_SOURCE_DIR}/native/cmake/report_ptxas.cmake"
    DEPENDS ${ptx_stamps}
    VERBATIM)
