# Passes if the compiler refuses `source` with the error that the source announces.
set(ENV{LC_ALL} C) # plain quotes in the errors
file(STRINGS "${source}" expected REGEX "^// error: ")
if(NOT expected)
  message(FATAL_ERROR "${source} has no line \"// error: <regex>\"")
endif()
string(REPLACE "// error: " "" expected "${expected}")

# A source may ask for flags with a line "// flags: <flags>".
file(STRINGS "${source}" flags REGEX "^// flags: ")
string(REPLACE "// flags: " "" flags "${flags}")
separate_arguments(flags)

list(TRANSFORM include_dirs PREPEND "-I")
execute_process(COMMAND ${compiler} -std=c++20 -fsyntax-only ${flags} ${include_dirs} "${source}"
                RESULT_VARIABLE result ERROR_VARIABLE errors)
if(result EQUAL 0)
  message(FATAL_ERROR "${source} compiles")
elseif(NOT errors MATCHES "error: [^\n]*(${expected})")
  message(FATAL_ERROR "expected an error that matches: ${expected}\ngot:\n${errors}")
endif()
