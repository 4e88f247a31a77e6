# reprise_project_options: what this project's own executables are compiled with. The library passes none of it on.
add_library(reprise_project_options INTERFACE)

if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(reprise_project_options INTERFACE
    -Wall -Wextra -Wconversion -Wshadow
    $<$<BOOL:${REPRISE_WARNINGS_AS_ERRORS}>:-Werror>
    $<$<BOOL:${REPRISE_NATIVE}>:-march=native>)
  if(REPRISE_NATIVE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns of its own AVX-512 intrinsics (GCC bug 105593). The builds without -march=native still look.
    # And it takes the loads of whole AVX-512 registers that Eigen would do for more values for done.
    target_compile_options(reprise_project_options INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized
                           -Wno-array-bounds)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 takes "text" + std::to_string(n), optimised, for a copy onto itself (GCC bug 105651).
    target_compile_options(reprise_project_options INTERFACE -Wno-restrict)
  endif()
  if(REPRISE_SANITIZE)
    set(sanitize "-fsanitize=${REPRISE_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(reprise_project_options INTERFACE ${sanitize})
    target_link_options(reprise_project_options INTERFACE ${sanitize})
  endif()
endif()

function(reprise_executable name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE reprise reprise_project_options)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
