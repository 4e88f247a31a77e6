# Compiles `source` with `flags`, or with those that pkg-config names, and runs the program.
if(pkg_config)
  set(ENV{PKG_CONFIG_PATH} "${pkg_config_path}:$ENV{PKG_CONFIG_PATH}")
  execute_process(COMMAND ${pkg_config} --cflags --libs reprise OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  separate_arguments(flags)
endif()
execute_process(COMMAND ${compiler} -std=c++20 ${flags} "${source}" -o "${program}" COMMAND_ECHO STDOUT
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${program}" COMMAND_ERROR_IS_FATAL ANY)
