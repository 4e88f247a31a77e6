include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/reprise")

# One export file for each component, so that the core can be found on a machine without nlohmann_json.
install(TARGETS reprise EXPORT reprise-targets FILE_SET HEADERS)
install(EXPORT reprise-targets NAMESPACE reprise:: DESTINATION "${package_dir}")
if(TARGET reprise_safetensors)
  install(TARGETS reprise_safetensors EXPORT reprise-safetensors-targets FILE_SET HEADERS)
  install(EXPORT reprise-safetensors-targets NAMESPACE reprise:: DESTINATION "${package_dir}")
endif()
if(TARGET reprise_keras)
  install(TARGETS reprise_keras EXPORT reprise-keras-targets FILE_SET HEADERS)
  install(EXPORT reprise-keras-targets NAMESPACE reprise:: DESTINATION "${package_dir}")
  install(FILES cmake/find_keras_needs.cmake DESTINATION "${package_dir}")
endif()

configure_package_config_file(cmake/reprise-config.cmake.in "${PROJECT_BINARY_DIR}/reprise-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break programs.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/reprise-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/reprise-config.cmake" "${PROJECT_BINARY_DIR}/reprise-config-version.cmake"
              cmake/reprise-build-type.cmake
        DESTINATION "${package_dir}")

# The prefix is worked out from where the file lies, so that the installed tree can be moved.
file(WRITE "${PROJECT_BINARY_DIR}/reprise.pc"
"prefix=\${pcfiledir}/../..
Name: reprise
Description: ${PROJECT_DESCRIPTION}
Version: ${PROJECT_VERSION}
Requires: eigen3 >= 3.4
Cflags: -I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR} -pthread
Libs: -pthread
")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/reprise")
install(FILES "${PROJECT_BINARY_DIR}/reprise.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
