# SPDX-License-Identifier: Apache-2.0
# What `cmake --install build --prefix X --component dev` installs: the public headers, the libraries, and the CMake
# package of find_package(gradwire CONFIG) with gradwire::core and, where it was built, gradwire::ddp.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/gradwire)

# Each component has an export set of its own, so that gradwire::core can be had without torch.
set_target_properties(gradwire_core PROPERTIES EXPORT_NAME core)
install(TARGETS gradwire_core EXPORT gradwire_core ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT gradwire_core NAMESPACE gradwire:: FILE gradwireCore.cmake DESTINATION ${package} COMPONENT dev)
if(GRADWIRE_TORCH)
  set_target_properties(gradwire_c10d PROPERTIES EXPORT_NAME c10d)
  set_target_properties(gradwire_hooks PROPERTIES EXPORT_NAME ddp)
  install(TARGETS gradwire_c10d gradwire_hooks EXPORT gradwire_ddp
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  install(EXPORT gradwire_ddp NAMESPACE gradwire:: FILE gradwireDdp.cmake DESTINATION ${package} COMPONENT dev)
  install(FILES ${PROJECT_SOURCE_DIR}/src/c10d/libtorch.cmake DESTINATION ${package} COMPONENT dev)
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" GRADWIRE_TORCH_MINOR "${GRADWIRE_TORCH_VERSION}")
else()
  set(without_torch PATTERN c10d_*.h EXCLUDE PATTERN ddp*.h EXCLUDE)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/gradwire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev
  FILES_MATCHING PATTERN *.h ${without_torch})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/gradwireConfig.cmake.in
  ${PROJECT_BINARY_DIR}/gradwireConfig.cmake INSTALL_DESTINATION ${package})
# Before 1.0 a minor version may change any header.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradwireConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradwireConfig.cmake ${PROJECT_BINARY_DIR}/gradwireConfigVersion.cmake
  DESTINATION ${package} COMPONENT dev)
