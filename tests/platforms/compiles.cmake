# Passes if the compiler takes `source`, with GNU's extensions, which bring macros of their own.
separate_arguments(compiler)
list(TRANSFORM include_dirs PREPEND "-I")
execute_process(COMMAND ${compiler} -std=gnu++20 -fsyntax-only ${include_dirs} "${source}" COMMAND_ERROR_IS_FATAL ANY)
