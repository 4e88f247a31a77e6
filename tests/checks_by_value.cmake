# Fails if a header under `directory` asks in a way that -ffast-math and -Ofast make meaningless whether a number is
# finite: by the standard library, by Eigen, or by a comparison that is to be false for NaN. core/finite.hpp says how.
file(GLOB_RECURSE headers RELATIVE "${directory}" "${directory}/*.hpp")
list(REMOVE_ITEM headers core/finite.hpp)
set(found "")
foreach(header IN LISTS headers)
  file(STRINGS "${directory}/${header}" lines REGEX
       "std::is(finite|nan|inf)|allFinite|hasNaN|isNaN|isFinite|!\\([^<>]*[^<>-][<>]=? -?[0-9]+\\.[0-9]")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    if(NOT line MATCHES "is_finite\\(" AND NOT line MATCHES "^//")
      string(APPEND found "\n  ${header}: ${line}")
    endif()
  endforeach()
endforeach()
if(found)
  message(FATAL_ERROR "Ask with is_finite, is_nan, is_infinite or all_finite of core/finite.hpp instead of:${found}")
endif()
