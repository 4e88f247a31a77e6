# Eigen3::Eigen from whoever included this project, from REPRISE_EIGEN_INCLUDE_DIR, or from the machine.
if(TARGET Eigen3::Eigen)
  return()
endif()

if(REPRISE_EIGEN_INCLUDE_DIR)
  if(NOT EXISTS "${REPRISE_EIGEN_INCLUDE_DIR}/Eigen/Core")
    message(FATAL_ERROR "REPRISE_EIGEN_INCLUDE_DIR: there is no ${REPRISE_EIGEN_INCLUDE_DIR}/Eigen/Core")
  endif()
  add_library(Eigen3::Eigen INTERFACE IMPORTED)
  target_include_directories(Eigen3::Eigen INTERFACE "${REPRISE_EIGEN_INCLUDE_DIR}")
  message(STATUS "reprise: Eigen in ${REPRISE_EIGEN_INCLUDE_DIR}") # core/version.hpp checks which one it is
  return()
endif()

# No version is asked for: Eigen 3.4's own version file refuses 5, and 5's refuses 3.4. Both will do.
find_package(Eigen3 CONFIG REQUIRED)
if(Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "reprise needs Eigen 3.4 or newer, found ${Eigen3_VERSION}")
endif()
message(STATUS "reprise: Eigen ${Eigen3_VERSION}")
