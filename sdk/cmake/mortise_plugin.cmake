# mortise_add_plugin(): builds one pack. For pack authors, through find_package(mortise-sdk), and for
# the packs of this repository.
#
# mortise_add_plugin(NAME SOURCES file... [LINKS target...] [MANIFEST file] [FILES file...]
#                    [LIBRARIES file...] [LANGUAGE RUST])
#
# Lays out a folder {pack.json, lib/NAME.so}: build/pack/, or NAME/ in MORTISE_PACKS_FOLDER where that
# is set (build/packs in this repository).
# The library exports mortise_entry_1 and nothing else. pack.json comes from MANIFEST (default:
# pack.json beside the CMakeLists.txt); fill_pack.cmake adds what can be known: the header's ABI
# numbers, the library and every SHA-256. FILES land beside pack.json, LIBRARIES (private ones, found
# through $ORIGIN) in lib/. The target is NAME; building it makes the whole pack.
function(mortise_add_plugin name)
  cmake_parse_arguments(arg "" "MANIFEST;LANGUAGE" "SOURCES;LINKS;FILES;LIBRARIES" ${ARGN})
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/pack.json)
  endif()
  if(MORTISE_PACKS_FOLDER)
    set(pack ${MORTISE_PACKS_FOLDER}/${name})
  else()
    set(pack ${CMAKE_BINARY_DIR}/pack)
    get_property(other GLOBAL PROPERTY MORTISE_PACK_OF_THIS_BUILD)
    if(other)
      message(FATAL_ERROR "build/pack is taken by ${other}. For several packs in one project set "
                          "MORTISE_PACKS_FOLDER; each then lies in a folder of its own name.")
    endif()
    set_property(GLOBAL PROPERTY MORTISE_PACK_OF_THIS_BUILD ${name})
  endif()
  get_property(include_folder TARGET mortise::sdk PROPERTY INTERFACE_INCLUDE_DIRECTORIES)
  string(REGEX REPLACE "\\$<[A-Z]*_INTERFACE:([^>]*)>" "\\1" include_folder "${include_folder}")
  list(GET include_folder 0 include_folder)
  # Why "|": a list would fall apart into arguments of the command.
  string(REPLACE ";" "|" listed_files "${arg_FILES}")
  string(REPLACE ";" "|" listed_libraries "${arg_LIBRARIES}")
  set(fill ${CMAKE_COMMAND} -DMANIFEST=${arg_MANIFEST} -DPACK=${pack} -DNAME=${name}
      "-DFILES=${listed_files}" "-DLIBRARIES=${listed_libraries}" -DINCLUDE=${include_folder}
      -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fill_pack.cmake)

  if(arg_LANGUAGE STREQUAL "RUST")
    _mortise_add_rust(${name} ${pack} "${arg_SOURCES}" "${arg_MANIFEST}" "${fill}")
    return()
  endif()
  mortise_plugin_library(${name} FOLDER ${pack}/lib SOURCES ${arg_SOURCES} LINKS ${arg_LINKS})
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/mortise_entry.map)
  # Why LINK_DEPENDS: a changed manifest must make the pack again.
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map} ${arg_MANIFEST} ${arg_FILES}
               ${arg_LIBRARIES} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fill_pack.cmake)
  add_custom_command(TARGET ${name} POST_BUILD COMMAND ${fill} VERBATIM)
  # Built-in packs are installed beside the programs; pack authors have `mortise plugin install`.
  if(CMAKE_CURRENT_SOURCE_DIR MATCHES "/plugins/builtin/[^/]*$")
    install(DIRECTORY ${pack} DESTINATION lib/mortise/packs COMPONENT host)
  endif()
endfunction()

# mortise_plugin_library(NAME FOLDER folder SOURCES file... [LINKS target...])
#
# The library NAME.so alone, in FOLDER, which exports mortise_entry_1 and nothing else. For the second
# plugin of a pack: build it into any folder, name $<TARGET_FILE:NAME> in LIBRARIES of
# mortise_add_plugin, and both in "libraries" and "plugins" of pack.json.
function(mortise_plugin_library name)
  cmake_parse_arguments(arg "" "FOLDER" "SOURCES;LINKS" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE mortise::sdk ${arg_LINKS})
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_17)
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} SUFFIX .so LIBRARY_OUTPUT_DIRECTORY ${arg_FOLDER}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN"
    BUILD_WITH_INSTALL_RPATH ON)
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/mortise_entry.map)
  target_link_options(${name} PRIVATE -Wl,--version-script,${map} -Wl,-z,relro,-z,now)
  if(NOT MORTISE_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)  # a symbol nobody has: now, not at load
  endif()
endfunction()

# A cdylib by rustc alone, without cargo and crates.
function(_mortise_add_rust name pack sources manifest fill)
  find_program(MORTISE_RUSTC rustc)
  if(NOT MORTISE_RUSTC)
    message(STATUS "${name}: no rustc, this pack is left out")
    return()
  endif()
  list(GET sources 0 main)
  set(library ${pack}/lib/${name}.so)
  add_custom_command(OUTPUT ${library} ${pack}/pack.json
    COMMAND ${CMAKE_COMMAND} -E make_directory ${pack}/lib
    COMMAND ${MORTISE_RUSTC} --edition 2021 --crate-type cdylib -C opt-level=3 -C panic=abort
            -C strip=symbols --crate-name ${name} -o ${library} ${CMAKE_CURRENT_SOURCE_DIR}/${main}
    COMMAND ${fill}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    DEPENDS ${sources} ${manifest} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fill_pack.cmake VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${library} ${pack}/pack.json)
endfunction()
