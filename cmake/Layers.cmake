# Warnings, sanitizers and the one way to declare a layer.

add_library(pgsleuth_flags INTERFACE)
target_compile_features(pgsleuth_flags INTERFACE c_std_17)
target_compile_definitions(pgsleuth_flags INTERFACE _GNU_SOURCE PGSLEUTH_VERSION="${PROJECT_VERSION}")
target_compile_options(pgsleuth_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Werror -Wstrict-prototypes -Wmissing-prototypes
    -Wwrite-strings -Wundef -Wvla -Wpointer-arith -Wcast-qual -fno-strict-aliasing
    $<$<CONFIG:RelWithDebInfo>:-O2>)
# Asserts stay on in every build type: they guard our own invariants, never a peer's input.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

if(PGSLEUTH_SANITIZE)
    target_compile_options(pgsleuth_flags INTERFACE
        -fsanitize=${PGSLEUTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(pgsleuth_flags INTERFACE -fsanitize=${PGSLEUTH_SANITIZE})
endif()
if(PGSLEUTH_LEDGER)
    target_compile_definitions(pgsleuth_flags INTERFACE PGSLEUTH_LEDGER)
endif()
if(PGSLEUTH_FUZZ)
    target_compile_options(pgsleuth_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# pgsleuth_layer(NAME [IN folder] [SUBFOLDERS a b] [WITHOUT file...] DEPENDS targets...)
# A static library pgsleuth_NAME of every .c in the folder (default: NAME) and the named subfolders.
# Includes are written from the root of the project: "wire/framer.h".
function(pgsleuth_layer name)
    cmake_parse_arguments(ARG "" "IN" "SUBFOLDERS;WITHOUT;DEPENDS" ${ARGN})
    if(NOT ARG_IN)
        set(ARG_IN ${name})
    endif()
    set(patterns ${CMAKE_SOURCE_DIR}/${ARG_IN}/*.c)
    foreach(sub ${ARG_SUBFOLDERS})
        list(APPEND patterns ${CMAKE_SOURCE_DIR}/${ARG_IN}/${sub}/*.c)
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS ${patterns})
    foreach(without ${ARG_WITHOUT})
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${without})
    endforeach()
    add_library(pgsleuth_${name} STATIC ${sources})
    target_include_directories(pgsleuth_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(pgsleuth_${name} PUBLIC pgsleuth_flags ${ARG_DEPENDS})
endfunction()
