# Passes if main.cpp for x86-64 and other.cpp for x86-64-v3 do not link, because they mean different types, and if
# the same sources for one processor do (else the failure would prove nothing).
function(compile source march object)
  execute_process(COMMAND ${compiler} -std=c++20 -O1 -march=${march} ${flags} -c "${source_dir}/${source}"
                          -o "${binary_dir}/${object}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(ENV{LC_ALL} C)
file(MAKE_DIRECTORY "${binary_dir}")
compile(main.cpp x86-64 main.o)
compile(other.cpp x86-64 other.o)
compile(other.cpp x86-64-v3 other_v3.o)

execute_process(COMMAND ${compiler} main.o other.o -o same WORKING_DIRECTORY "${binary_dir}"
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${binary_dir}/same" COMMAND_ERROR_IS_FATAL ANY)

execute_process(COMMAND ${compiler} main.o other_v3.o -o mixed WORKING_DIRECTORY "${binary_dir}"
                RESULT_VARIABLE result ERROR_VARIABLE errors)
if(result EQUAL 0)
  message(FATAL_ERROR "A model passed between x86-64 and x86-64-v3 links: it would crash")
elseif(NOT errors MATCHES "undefined reference to [^\n]*parameters_of\\(reprise::")
  message(FATAL_ERROR "The link failed, but for another reason:\n${errors}")
endif()
