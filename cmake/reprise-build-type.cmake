# Says, to those who set no build type, that their program is not optimised. Included by the installed package and where
# reprise is a subdirectory. Any build type, None too, and any -O among the flags end it.
get_property(reprise_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT reprise_multi_config AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CXX_FLAGS MATCHES "(^| )-O"
   AND NOT reprise_FIND_QUIETLY)
  message(WARNING "reprise: no CMAKE_BUILD_TYPE is set, so the compiler optimises nothing, and training takes a hundred times "
                  "as long as it need. Configure with -DCMAKE_BUILD_TYPE=Release, or with None to keep it so.")
endif()
unset(reprise_multi_config)
