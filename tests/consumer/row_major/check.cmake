# Passes if main.cpp prints the same to the last bit whatever order Eigen stores matrices in by default.
function(output_of name)
  execute_process(COMMAND ${compiler} -std=c++20 -O0 ${ARGN} ${flags} "${source_dir}/main.cpp" -o "${binary_dir}/${name}"
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${binary_dir}/${name}" OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
  set(${name} "${printed}" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY "${binary_dir}")
output_of(columns_first)
output_of(rows_first -DEIGEN_DEFAULT_TO_ROW_MAJOR)
string(LENGTH "${columns_first}" length)
if(length LESS 10000)
  message(FATAL_ERROR "The program printed too little to prove anything: ${length} characters")
elseif(NOT columns_first STREQUAL rows_first)
  file(WRITE "${binary_dir}/columns_first.txt" "${columns_first}")
  file(WRITE "${binary_dir}/rows_first.txt" "${rows_first}")
  message(FATAL_ERROR "The numbers depend on Eigen's default order: compare the two files in ${binary_dir}")
endif()
