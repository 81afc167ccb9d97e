# Completes a pack: copies its files, and writes pack.json from the source's with what can be known.
# Called by mortise_add_plugin after each link, as
#   cmake -DMANIFEST= -DPACK= -DNAME= -DINCLUDE= [-DFILES=a|b] [-DLIBRARIES=a|b] -P fill_pack.cmake
# Filled where absent: manifest_version, abi, libraries, permissions. Always written: the SHA-256 of
# each library and the list "files" of everything else in the pack.
cmake_minimum_required(VERSION 3.25)

# fill(json value key...): sets what is absent.
macro(fill json value)
  string(JSON present ERROR_VARIABLE absent GET "${${json}}" ${ARGN})
  if(absent)
    string(JSON ${json} SET "${${json}}" ${ARGN} "${value}")
  endif()
endmacro()

string(REPLACE "|" ";" FILES "${FILES}")
string(REPLACE "|" ";" LIBRARIES "${LIBRARIES}")
foreach(file ${FILES})
  file(COPY ${file} DESTINATION ${PACK})
endforeach()
foreach(file ${LIBRARIES})
  file(COPY ${file} DESTINATION ${PACK}/lib FOLLOW_SYMLINK_CHAIN)
endforeach()

file(READ ${MANIFEST} manifest)
string(JSON type ERROR_VARIABLE broken TYPE "${manifest}")
if(broken OR NOT type STREQUAL "OBJECT")
  message(FATAL_ERROR "${MANIFEST} is not a JSON object: ${broken}")
endif()

file(READ ${INCLUDE}/mortise/plugin.h header)
string(REGEX MATCH "MORTISE_ABI_GENERATION ([0-9]+)" found "${header}")
set(generation ${CMAKE_MATCH_1})
string(REGEX MATCH "MORTISE_ABI_MINOR ([0-9]+)" found "${header}")
set(minor ${CMAKE_MATCH_1})
fill(manifest 1 manifest_version)
fill(manifest "{\"generation\": ${generation}, \"needs_minor\": 0}" abi)
string(JSON manifest SET "${manifest}" abi built_minor ${minor})
fill(manifest "{\"network\": false, \"spawn\": false}" permissions)
fill(manifest
     "[{\"platform\": \"linux_amd64_glibc\", \"path\": \"lib/${NAME}.so\", \"score\": 0}]" libraries)

set(listed)
string(JSON count LENGTH "${manifest}" libraries)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON path GET "${manifest}" libraries ${i} path)
  if(NOT EXISTS ${PACK}/${path})
    message(FATAL_ERROR "${MANIFEST}: /libraries/${i}/path names ${path}, which the pack lacks")
  endif()
  file(SHA256 ${PACK}/${path} digest)
  string(JSON manifest SET "${manifest}" libraries ${i} sha256 "\"${digest}\"")
  list(APPEND listed ${path})
endforeach()

string(JSON manifest SET "${manifest}" files "{}")
file(GLOB_RECURSE paths RELATIVE ${PACK} ${PACK}/*)
foreach(path ${paths})
  if(NOT path IN_LIST listed AND NOT path MATCHES "^pack\\.json(\\.sig)?$")
    file(SHA256 ${PACK}/${path} digest)
    string(JSON manifest SET "${manifest}" files "${path}" "\"${digest}\"")
  endif()
endforeach()
file(WRITE ${PACK}/pack.json "${manifest}\n")
