# What fill_pack.cmake writes and what it refuses, over a pack whose library is any file. Run by ctest.
cmake_minimum_required(VERSION 3.25)

# fill(MANIFEST_TEXT out_result out_text): one run over a fresh pack.
function(fill manifest out_result out_text)
  file(REMOVE_RECURSE ${WORK})
  file(WRITE ${WORK}/source.json "${manifest}")
  file(WRITE ${WORK}/notes.txt "notes")
  file(WRITE ${WORK}/pack/lib/thing.so "library")
  execute_process(COMMAND ${CMAKE_COMMAND} -DMANIFEST=${WORK}/source.json -DPACK=${WORK}/pack
                  -DNAME=thing -DINCLUDE=${SDK}/include -DFILES=${WORK}/notes.txt
                  -P ${SDK}/cmake/fill_pack.cmake
                  RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(${out_result} ${result} PARENT_SCOPE)
  set(${out_text} "${text}" PARENT_SCOPE)
endfunction()

function(expect what actual wanted)
  if(NOT actual STREQUAL wanted)
    message(SEND_ERROR "${what} is ${actual}, expected ${wanted}")
  endif()
endfunction()

fill("{\"id\": \"com.example.thing\", \"abi\": {\"generation\": 1, \"needs_minor\": 7}}" result text)
expect("the result of a sound manifest" "${result}" 0)
file(READ ${WORK}/pack/pack.json made)
string(SHA256 library "library")
string(SHA256 notes "notes")
string(JSON value GET "${made}" libraries 0 sha256)
expect("the library's hash" ${value} ${library})
string(JSON value GET "${made}" libraries 0 path)
expect("the library's path" ${value} lib/thing.so)
string(JSON value GET "${made}" files notes.txt)
expect("the file's hash" ${value} ${notes})
string(JSON value LENGTH "${made}" files)
expect("the number of other files" ${value} 1)
string(JSON value GET "${made}" abi needs_minor)
expect("needs_minor, which the author wrote," ${value} 7)
string(JSON value GET "${made}" permissions network)
expect("the permission nobody asked for" ${value} OFF)

fill("{\"libraries\": [{\"path\": \"lib/other.so\"}]}" result text)
if(result EQUAL 0 OR NOT text MATCHES "/libraries/0/path")
  message(SEND_ERROR "a library that is missing was accepted: ${text}")
endif()
foreach(broken "[]" "{" "")
  fill("${broken}" result text)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")  # CMake breaks lines where a path is long
  if(result EQUAL 0 OR NOT text MATCHES "is not a JSON")
    message(SEND_ERROR "the manifest '${broken}' was accepted: ${text}")
  endif()
endforeach()
