# find_package(mortise-sdk): the target mortise::sdk (headers) and mortise_add_plugin().
include(${CMAKE_CURRENT_LIST_DIR}/mortise-sdkTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/mortise_plugin.cmake)
