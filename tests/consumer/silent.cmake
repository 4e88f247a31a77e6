# Compiles `source` by the command line that README.md tells those without CMake, and every warning is an error. The
# flags after -Wall are those that projects with strict rules use.
file(READ "${readme}" text)
if(NOT text MATCHES "`g\\+\\+ ([^`]*-I reprise/include -I /usr/include/eigen3 )app.cpp ")
  message(FATAL_ERROR "README.md tells no command line for those without CMake")
endif()
string(REPLACE "-I reprise/include -I /usr/include/eigen3" "-I ${include} -I ${eigen}" flags "${CMAKE_MATCH_1}")
separate_arguments(flags)
execute_process(COMMAND ${compiler} ${flags} -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror -c "${source}"
                        -o "${object}" COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
