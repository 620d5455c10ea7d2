# Makes native/ptx/NAME.ptx from native/kernels/NAME.cu: nvcc, then a header that says what it was made from, then ptxas as a
# check. Run with `cmake -P`; the caller gives NAME, REPOSITORY, WORK, NVCC, PTXAS, HOST_COMPILER, FLAGS and ARCHITECTURES.
cmake_minimum_required(VERSION 3.20)
include("${CMAKE_CURRENT_LIST_DIR}/kernel_sources.cmake")
set(kernel_folder "${REPOSITORY}/native/kernels")
file(MAKE_DIRECTORY "${WORK}" "${REPOSITORY}/native/ptx")

# The source hash, which a test in C# computes too. Take NAME.cu and the *.cuh of native/kernels that it includes, directly or
# through others; sort the file names by their bytes; for each in this order take the file name, a line feed, and the file's text
# in UTF-8 with every CR LF made LF; the hash is the SHA-256 of all of it put together, in lower-case hexadecimal.
function(hash_sources result)
    kernel_files("${kernel_folder}" "${NAME}" names)
    set(everything "")
    foreach(name IN LISTS names)
        file(READ "${kernel_folder}/${name}" text)
        string(REPLACE "\r\n" "\n" text "${text}")
        string(APPEND everything "${name}\n${text}")
    endforeach()
    string(SHA256 hash "${everything}")
    set(${result} "${hash}" PARENT_SCOPE)
endfunction()

# What depends on the machine that compiled leaves no trace: our files are named from the repository's root, the toolkit's
# and the host compiler's headers from their include folder; nvcc's hash of the source path, part of the names of what is
# local to a file, becomes zeros.
function(remove_traces_of_this_machine variable)
    set(text "${${variable}}")
    string(REGEX MATCHALL "\t\\.file\t[0-9]+ \"[^\"]*\"[^\n]*" file_lines "${text}")
    foreach(line IN LISTS file_lines)
        string(REGEX MATCH "\\.file\t([0-9]+) \"([^\"]*)\"" ignored "${line}")
        set(number "${CMAKE_MATCH_1}")
        string(REGEX REPLACE "\\\\+" "/" path "${CMAKE_MATCH_2}")
        string(REPLACE "${REPOSITORY}/" "" path "${path}")
        string(REGEX REPLACE "^.*/include/" "include/" path "${path}")
        if(IS_ABSOLUTE "${path}")
            get_filename_component(path "${path}" NAME)
        endif()
        string(REPLACE "${line}" "\t.file\t${number} \"${path}\"" text "${text}")
    endforeach()
    string(REGEX REPLACE "_INTERNAL_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]_" "_INTERNAL_00000000_" text "${text}")

    if(text MATCHES "\\.file[^\n]*\"(/|[A-Za-z]:)")
        message(FATAL_ERROR "${NAME}.ptx: a path of this machine is left in it")
    endif()
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# Of the line information only file and line stay. How functions were inlined into one another goes, since ptxas 11.8 runs out
# of stack over it on sm_90; what comes from a header of the toolkit gets the line of ours that it was inlined into.
function(simplify_line_information variable)
    set(text "${${variable}}")
    string(REGEX MATCHALL "\\.file\t[0-9]+ \"include/" toolkit_files "${text}")
    foreach(file IN LISTS toolkit_files)
        string(REGEX MATCH "[0-9]+" number "${file}")
        string(REGEX REPLACE "\\.loc\t${number} [^\n]*inlined_at ([^\n]*)" ".loc\t\\1" text "${text}")
    endforeach()
    foreach(file IN LISTS toolkit_files) # headers in headers: the line before has a place of ours
        string(REGEX MATCH "[0-9]+" number "${file}")
        string(REGEX REPLACE "\t\\.loc\t${number} [^\n]*\n" "" text "${text}")
    endforeach()
    string(REGEX REPLACE "(\\.loc\t[0-9]+ [0-9]+ [0-9]+),[^\n]*" "\\1" text "${text}")
    string(REGEX REPLACE "\t\\.section\t\\.debug_str[^}]*}\n?" "" text "${text}")
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# ptxas must take the PTX for every architecture without spilling a register; its words are kept for the target ptxas-report.
function(check_with_ptxas ptx)
    foreach(architecture IN LISTS ARCHITECTURES)
        execute_process(
            COMMAND "${PTXAS}" -arch=${architecture} -v "${ptx}" -o "${WORK}/${NAME}-${architecture}.cubin"
            RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
        if(NOT status EQUAL 0)
            message(FATAL_ERROR "${NAME}.ptx: ptxas for ${architecture} fails:\n${output}")
        endif()
        file(WRITE "${WORK}/${NAME}-${architecture}.txt" "${output}")
        string(REGEX MATCHALL "Function properties for [^\n]*\n[^\n]*" functions "${output}")
        foreach(function IN LISTS functions)
            string(REGEX MATCH "for ([^\n]*)\n.*[^0-9]([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads" ignored "${function}")
            if(CMAKE_MATCH_2 GREATER 0 OR CMAKE_MATCH_3 GREATER 0)
                message(FATAL_ERROR "${NAME}.cu: kernel ${CMAKE_MATCH_1} spills registers on ${architecture} "
                    "(${CMAKE_MATCH_2} bytes stored, ${CMAKE_MATCH_3} bytes loaded)")
            endif()
        endforeach()
    endforeach()
endfunction()

set(raw "${WORK}/${NAME}.raw.ptx")
execute_process(
    COMMAND "${NVCC}" ${FLAGS} -ccbin "${HOST_COMPILER}" "${kernel_folder}/${NAME}.cu" -o "${raw}"
    RESULT_VARIABLE status)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${NAME}.cu: nvcc fails")
endif()

file(READ "${raw}" text)
string(REPLACE "\r\n" "\n" text "${text}")
if(NOT text MATCHES "// (Cuda compilation tools, [^\n]*)")
    message(FATAL_ERROR "${NAME}.ptx does not say which compiler made it")
endif()
set(compiler "${CMAKE_MATCH_1}")
remove_traces_of_this_machine(text)
simplify_line_information(text)
hash_sources(hash)
list(JOIN FLAGS " " flags)
set(stamped "${WORK}/${NAME}.ptx")
file(WRITE "${stamped}"
"// Made from native/kernels/${NAME}.cu by the CMake target ptx; do not edit.
// source-sha256: ${hash}
// flags: ${flags}
// compiler: ${compiler}
${text}")
check_with_ptxas("${stamped}")
file(COPY_FILE "${stamped}" "${REPOSITORY}/native/ptx/${NAME}.ptx" ONLY_IF_DIFFERENT)
