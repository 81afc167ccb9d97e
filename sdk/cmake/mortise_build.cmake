# Build rules of this repository: warnings, sanitizers, one library a folder, one test program a
# folder. Pack authors use mortise_add_plugin() of mortise_plugin.cmake instead.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  # What a precompiled header needs of ccache: no __TIME__ and no macro of ours may change it.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
# -fPIC also for programs, which would take -fPIE: one precompiled header serves both.
add_compile_options(-Wall -Wextra -Wconversion -fvisibility=hidden -fPIC)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # gcc 12 sees overlaps and endless lengths in text + std::string (its bug 105651).
  add_compile_options(-Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)  # it takes the six for headers
endif()
if(MORTISE_SANITIZE)
  add_compile_options(-fsanitize=${MORTISE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MORTISE_SANITIZE})
endif()

# The preset "release" compiles six files of a folder as one (CMAKE_UNITY_BUILD): half the time of a clean
# build. So a name in an unnamed namespace is one of its kind in its folder; "dev" compiles each file alone.

# mortise_folder(NAME [QUICK] [LINKS target...] [PRIVATE_LINKS target...]): the library mortise_NAME
# from the *.cpp of the current folder; includes are written from host/ ("base/result.h"). QUICK: where
# nothing is computed.
function(mortise_folder name)
  cmake_parse_arguments(arg "QUICK" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(mortise_${name} STATIC ${sources})
    target_include_directories(mortise_${name} PUBLIC ${CMAKE_SOURCE_DIR}/host
                               ${CMAKE_SOURCE_DIR}/sdk/include)
    target_link_libraries(mortise_${name} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
    target_precompile_headers(mortise_${name} REUSE_FROM mortise_headers)
    if(arg_QUICK)
      mortise_compile_quickly(mortise_${name})
    endif()
  endif()
endfunction()

# For code that is compiled more often than it waits for itself: a third of the compile time less.
function(mortise_compile_quickly target)
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()

# libtorch from the wheel. Its include folder carries its own fmt and protobuf, so it comes after
# every system folder (-idirafter); only host/engine and its tests may link this.
if(EXISTS ${MORTISE_TORCH_DIR}/lib/libtorch_cpu.so)
  add_library(mortise_torch INTERFACE)
  target_compile_options(mortise_torch INTERFACE
    "SHELL:-idirafter ${MORTISE_TORCH_DIR}/include"
    "SHELL:-idirafter ${MORTISE_TORCH_DIR}/include/torch/csrc/api/include")
  target_compile_definitions(mortise_torch INTERFACE AT_PER_OPERATOR_HEADERS)
  target_link_libraries(mortise_torch INTERFACE ${MORTISE_TORCH_DIR}/lib/libtorch_cpu.so
                        ${MORTISE_TORCH_DIR}/lib/libc10.so)
  target_link_options(mortise_torch INTERFACE -Wl,--allow-shlib-undefined
                      -Wl,-rpath,${MORTISE_TORCH_DIR}/lib)
endif()

# mortise_headers...(): what nearly every file includes, read once for all libraries of host
# (mortise_headers), what includes tensors (.._torch), the builtin packs (.._sdk) and the tests (.._test,
# .._torch_test): a third of the compile time less. A file still includes what it uses.
function(mortise_make_headers name)
  cmake_parse_arguments(arg "" "" "LINKS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/host ${CMAKE_SOURCE_DIR}/sdk/include)
  target_link_libraries(${name} PRIVATE ${arg_LINKS})
  target_precompile_headers(${name} PRIVATE <algorithm> <array> <atomic> <charconv> <cstdint> <cstring>
    <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread>
    <utility> <variant> <vector> ${arg_HEADERS})
endfunction()
set(base_headers ${CMAKE_SOURCE_DIR}/host/base/file_ops.h ${CMAKE_SOURCE_DIR}/host/base/json.h)
set(torch_headers ${base_headers} <ATen/TensorOperators.h> <ATen/core/Tensor.h> <ATen/ops/cat.h>
    <ATen/ops/empty.h> <ATen/ops/tensor.h> <ATen/ops/zeros.h>)
set(test_headers <gmock/gmock.h> <gtest/gtest.h>)
mortise_make_headers(mortise_headers HEADERS ${base_headers})
mortise_make_headers(mortise_headers_sdk HEADERS <mortise/cpp/format_table.hpp> <mortise/cpp/plugin.hpp>)
if(TARGET mortise_torch)
  mortise_make_headers(mortise_headers_torch HEADERS ${torch_headers} LINKS mortise_torch)
endif()
if(NOT MORTISE_FUZZ)
  find_package(GTest REQUIRED)
  mortise_make_headers(mortise_headers_test HEADERS ${base_headers} ${test_headers} LINKS GTest::gmock)
  mortise_make_headers(mortise_headers_torch_test HEADERS ${torch_headers} ${test_headers}
                       LINKS GTest::gmock mortise_torch)
endif()

# Poco's target brings macros of the C library along, as if it were built elsewhere; a precompiled
# header must be used under the macros that it was made with.
macro(mortise_find_poco)
  find_package(Poco REQUIRED COMPONENTS Net)
  get_target_property(definitions Poco::Foundation INTERFACE_COMPILE_DEFINITIONS)
  list(FILTER definitions EXCLUDE REGEX "^_")
  set_target_properties(Poco::Foundation PROPERTIES INTERFACE_COMPILE_DEFINITIONS "${definitions}")
endmacro()

# mortise_test(NAME [LABELS label...] [LINKS target...] [WHOLE]): one GoogleTest program from the
# *_test.cpp of the current folder. WHOLE: one ctest entry for the program instead of one a test
# (for programs whose start is dear). LAUNCHER: a program of tests/support that starts it; WHOLE.
function(mortise_test name)
  cmake_parse_arguments(arg "WHOLE" "TIMEOUT;LAUNCHER" "LABELS;LINKS" ${ARGN})
  find_package(GTest REQUIRED)
  include(GoogleTest)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/host ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  mortise_compile_quickly(${name})
  if(arg_LINKS MATCHES "mortise_engine")
    target_precompile_headers(${name} REUSE_FROM mortise_headers_torch_test)
  else()
    target_precompile_headers(${name} REUSE_FROM mortise_headers_test)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(arg_WHOLE)
    mortise_launched_test(${name} ${name} "${arg_LAUNCHER}")
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
    if("external" IN_LIST arg_LABELS)  # one skipped test makes the program skipped, which .ci/run sees
      set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
    endif()
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
                         PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
  endif()
endfunction()

# One ctest entry: the program under a launcher of tests/support, which exits 77 when what it needs
# is not installed.
function(mortise_launched_test name program launcher)
  if(launcher)
    set(launcher ${CMAKE_SOURCE_DIR}/tests/support/${launcher})
  endif()
  add_test(NAME ${name} COMMAND ${launcher} $<TARGET_FILE:${program}>)
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()
