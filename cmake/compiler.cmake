# How everything is compiled.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra)
if(CUSEQ_WERROR)
  add_compile_options(-Werror)
endif()
# strdup, getline, sigaction and the like; nothing beyond what Linux has.
add_compile_definitions(_GNU_SOURCE)

# A sanitizer's build is compiled as fast as its tests allow: little optimised, with lines but no variables for a debugger.
if(CUSEQ_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=address,undefined)
elseif(CUSEQ_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -O1 -g1)
  add_link_options(-fsanitize=thread)
elseif(CUSEQ_SANITIZE)
  message(FATAL_ERROR "CUSEQ_SANITIZE: unknown (found \"${CUSEQ_SANITIZE}\", needed address, thread or nothing)")
endif()
