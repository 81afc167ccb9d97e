# Installs the SDK into an empty folder, has `mortise plugin new` make a plugin of one kind in another,
# builds it there against the SDK alone, opens the pack as a C host would, and runs the conformance kit
# over it. Run by ctest; fails with the output of the failing step.
cmake_minimum_required(VERSION 3.25)

function(step name)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${name} failed (${result}):\n${text}")
  endif()
  if(text MATCHES "warning:")
    message(FATAL_ERROR "${name} warns:\n${text}")
  endif()
endfunction()

# Outside the tree, so that nothing of it can be found by chance. Stays when a step fails.
string(RANDOM LENGTH 12 work)
set(WORK /tmp/mortise-template-${KIND}-${work})
if(DEFINED ENV{TMPDIR})
  set(WORK $ENV{TMPDIR}/mortise-template-${KIND}-${work})
endif()
step(install ${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${WORK}/sdk)

if(KIND STREQUAL "c")
  file(COPY ${EXAMPLE}/ DESTINATION ${WORK}/plugin)
  file(READ ${WORK}/plugin/CMakeLists.txt text)
  file(WRITE ${WORK}/plugin/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)\n"
       "project(smallest LANGUAGES C)\nfind_package(mortise-sdk REQUIRED)\n${text}")
  file(READ ${WORK}/plugin/pack.json text)
  string(JSON id GET "${text}" id)
endif()

string(TIMESTAMP begun_s "%s")
if(NOT KIND STREQUAL "c")
  set(id com.example.my_${KIND})
  step(new ${MORTISE} plugin new ${KIND} ${id} --out ${WORK}/plugin)
endif()

step(configure ${CMAKE_COMMAND} -S ${WORK}/plugin -B ${WORK}/plugin/build -G ${GENERATOR}
     -DCMAKE_PREFIX_PATH=${WORK}/sdk -DCMAKE_CXX_COMPILER=${COMPILER})
step(build ${CMAKE_COMMAND} --build ${WORK}/plugin/build)

file(READ ${WORK}/plugin/build/pack/pack.json manifest)
string(JSON path GET "${manifest}" libraries 0 path)
string(JSON listed GET "${manifest}" libraries 0 sha256)
file(SHA256 ${WORK}/plugin/build/pack/${path} digest)
if(NOT listed STREQUAL digest)
  message(FATAL_ERROR "pack.json lists ${listed} for ${path}, which is ${digest}")
endif()
string(JSON count LENGTH "${manifest}" plugins 0 interfaces)
math(EXPR last "${count} - 1")
set(interfaces)
foreach(i RANGE ${last})
  string(JSON interface GET "${manifest}" plugins 0 interfaces ${i})
  list(APPEND interfaces ${interface})
endforeach()
step(open ${OPEN_PACK} ${WORK}/plugin/build/pack/${path} ${id} ${interfaces})

set(ENV{MORTISE_HOME} ${WORK}/home)
step(check ${MORTISE} plugin check ${WORK}/plugin/build/pack --json)
string(TIMESTAMP ended_s "%s")
math(EXPR seconds "${ended_s} - ${begun_s}")
message(STATUS "${KIND}: from plugin new to a passing check in ${seconds} s")
if(seconds GREATER 60)
  message(FATAL_ERROR "plugin new, build and check took ${seconds} s; 60 s are allowed")
endif()
file(REMOVE_RECURSE ${WORK})
