# The execution core: an object library, its instruction families compiled for each level of the host processor.
set(core ${CMAKE_CURRENT_LIST_DIR})
file(GLOB core_sources CONFIGURE_DEPENDS ${core}/settings.c ${core}/parser/*.c ${core}/program/*.c ${core}/memory/*.c
     ${core}/checks/*.c ${core}/scheduler/*.c ${core}/counters/*.c)
file(GLOB core_families CONFIGURE_DEPENDS ${core}/interpreter/*.c)
list(REMOVE_ITEM core_families ${core}/interpreter/level.c)

function(emulator_core_options target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden C_STANDARD 17
                        C_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -ffp-contract=off -fno-math-errno)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
endfunction()

add_library(emulator_core_common OBJECT ${core_sources} ${core}/interpreter/level.c)
emulator_core_options(emulator_core_common)
set(core_objects $<TARGET_OBJECTS:emulator_core_common>)
set(core_levels portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
  list(APPEND core_levels avx2 avx512)
  target_compile_definitions(emulator_core_common PRIVATE EMU_X86_LEVELS)
endif()
set(core_options_avx2 -march=x86-64-v3)
set(core_options_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
foreach(level IN LISTS core_levels)
  add_library(emulator_core_${level} OBJECT ${core_families})
  emulator_core_options(emulator_core_${level})
  target_compile_options(emulator_core_${level} PRIVATE -O3 ${core_options_${level}})
  target_compile_definitions(emulator_core_${level} PRIVATE EMU_LEVEL=${level})
  list(APPEND core_objects $<TARGET_OBJECTS:emulator_core_${level}>)
endforeach()

add_library(emulator_core INTERFACE)
target_sources(emulator_core INTERFACE ${core_objects})
