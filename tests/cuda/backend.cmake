# The CUDA backend as a whole: the tests that every backend passes, built again for device "cuda", and the program.
# The executables lie beside the module, where the library looks for it. The criterion tests run in one process each.
set(backend_architectures ${CUSEQ_CUDA_ARCHITECTURES})
set(backend_environment)
if(NOT CUSEQ_TEST_GPU)
  list(APPEND backend_environment LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}/emulator)
endif()

# One more run of a program under settings of the emulated device, at one of the module's architectures. What the
# emulated device says of leaks and of work that nobody waited for fails it.
function(cuseq_backend_run name architecture)
  cmake_parse_arguments(run "" "" "COMMAND;ENVIRONMENT;LABELS" ${ARGN})
  if(NOT architecture IN_LIST backend_architectures)
    return()
  endif()
  set(cost 0) # the slowest begin first
  if(name MATCHES "^(encoders|structure_properties|windows|beam$|self_attention_layers|graphs)")
    set(cost 15)
  endif()
  set(timeout 900)
  if(run_LABELS STREQUAL "long")
    set(timeout 7200)
  endif()
  add_test(NAME cuda_${name} COMMAND ${run_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(cuda_${name} PROPERTIES
    ENVIRONMENT "${backend_environment};CUSEQ_EMULATOR_SM=${architecture};${run_ENVIRONMENT}"
    LABELS "cuda;${run_LABELS}" TIMEOUT ${timeout} COST ${cost} SKIP_RETURN_CODE 77 SKIP_REGULAR_EXPRESSION "Tested: 0 "
    FAIL_REGULAR_EXPRESSION "leak: ;never waited for")
endfunction()

# backend_program(NAME SOURCE DEFINITION...): a unit test's source, built again.
function(backend_program name source)
  add_executable(cuda_${name} ${PROJECT_SOURCE_DIR}/tests/${source})
  target_link_libraries(cuda_${name} PRIVATE cuseq_internals cuseq_test_support PkgConfig::CRITERION)
  target_compile_definitions(cuda_${name} PRIVATE ${ARGN})
  set_target_properties(cuda_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  add_dependencies(cuda_${name} cuseq_cuda)
endfunction()

backend_program(backends unit/backends.c BACKENDS_DEVICES="cuda" BACKENDS_SMALL=300 BACKENDS_MIDDLE=60 BACKENDS_LONGEST=500)
backend_program(backends_smoke unit/backends.c BACKENDS_DEVICES="cuda" BACKENDS_SMALL=30 BACKENDS_MIDDLE=6
                BACKENDS_LONGEST=80)
backend_program(properties unit/properties.c PROPERTIES_DEVICES="cuda" PROPERTIES_CASES=30 PROPERTIES_LARGEST=20)
backend_program(nonfinite unit/nonfinite.c NONFINITE_DEVICE="cuda" NONFINITE_CASES=60 NONFINITE_ISAS="none")
backend_program(structures unit/structures.c STRUCTURES_DEVICES="cuda" STRUCTURES_SMALL=120 STRUCTURES_MIDDLE=12)
backend_program(structures_smoke unit/structures.c STRUCTURES_DEVICES="cuda" STRUCTURES_SMALL=30 STRUCTURES_MIDDLE=3)
backend_program(structure_properties unit/structure_properties.c STRUCTURES_DEVICES="cuda")
backend_program(self_attention_layers unit/self_attention.c SELF_ATTENTION_DEVICE="cuda" SELF_ATTENTION_POSITIONS=600)
backend_program(attention_heads unit/attention_heads.c HEADS_DEVICE="cuda" HEADS_POSITIONS=600)
backend_program(beam unit/beam.c)
backend_program(beam_devices unit/beam_devices.c)
backend_program(beam_refusals unit/beam_refusals.c)
backend_program(golden golden/golden.c GOLDEN_DEVICES="cuda")
target_link_libraries(cuda_golden PRIVATE cuseq_golden_vector)
backend_program(overflow unit/overflow.c OVERFLOW_DEVICES="cuda")
backend_program(long_sums unit/long_sums.c LONG_SUMS_DEVICES="cuda" "LONG_SUMS_POSITIONS=600,6000")
backend_program(calls cuda/calls.c)
backend_program(encoders cuda/encoders.c)
target_include_directories(cuda_encoders PRIVATE ${PROJECT_SOURCE_DIR}/host)

# Those that call the CUDA runtime themselves, for arrays and streams of their own.
add_library(cuda_call_memory STATIC call_memory.c)
target_include_directories(cuda_call_memory PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_include_directories(cuda_call_memory SYSTEM PUBLIC ${CUSEQ_CUDA_INCLUDE})
target_link_libraries(cuda_call_memory PUBLIC cuseq_internals cuseq_test_support ${CUSEQ_CUDART})
target_link_options(cuda_call_memory PUBLIC LINKER:--enable-new-dtags)
foreach(name IN ITEMS device_arrays asynchronous capture failures given graphs windows)
  backend_program(${name} cuda/${name}.c)
  target_link_libraries(cuda_${name} PRIVATE cuda_call_memory)
  cuseq_backend_run(${name} 90 COMMAND cuda_${name} -j1)
endforeach()
foreach(name IN ITEMS device_arrays asynchronous)
  cuseq_backend_run(${name}_graphs 90 COMMAND cuda_${name} -j1 ENVIRONMENT CUSEQ_CUDA_PLAN=encoder=cell,decoder=steps)
endforeach()
foreach(name IN ITEMS asynchronous capture windows)
  target_sources(cuda_${name} PRIVATE runtime_calls.c)
  set_target_properties(cuda_${name} PROPERTIES ENABLE_EXPORTS ON)
endforeach()
target_sources(cuda_capture PRIVATE capture_case.c capture_refusals.c)
foreach(seed RANGE 1 3)
  cuseq_backend_run(asynchronous_seed${seed} 90 COMMAND cuda_asynchronous -j1 ENVIRONMENT CUSEQ_EMULATOR_SEED=${seed}
                    CUSEQ_EMULATOR_DEVICES=2)
  cuseq_backend_run(windows_seed${seed} 90 COMMAND cuda_windows -j1 ENVIRONMENT CUSEQ_EMULATOR_SEED=${seed} LABELS long)
endforeach()
backend_program(plan cuda/plan.c)
target_sources(cuda_plan PRIVATE ${PROJECT_SOURCE_DIR}/host/backends/cuda/plan.c
               ${PROJECT_SOURCE_DIR}/host/backends/cuda/plan_encoder.c)
target_include_directories(cuda_plan PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(cuda_plan PRIVATE cuseq_kernels ${CUSEQ_CUDART} stdc++)

set(one_job -j1)
cuseq_backend_run(backends 90 COMMAND cuda_backends ${one_job})
cuseq_backend_run(properties 90 COMMAND cuda_properties ${one_job} ENVIRONMENT CUSEQ_EMULATOR_SEED=3)
# States that a caller gives to the encoder, in the graph of cells and across multiprocessors too.
foreach(way IN ITEMS encoder=cell encoder=grid)
  string(MAKE_C_IDENTIFIER ${way} name)
  cuseq_backend_run(states_${name} 90 COMMAND cuda_properties ${one_job} --filter properties/*states*
                    ENVIRONMENT CUSEQ_CUDA_PLAN=${way})
endforeach()
# Infinity is left out: the device's sigmoid of it is 1e-38, not 0.
cuseq_backend_run(nonfinite 90 COMMAND cuda_nonfinite ${one_job} --filter nonfinite/nan*)
# Every kernel that checks what it makes: one launch, stages, graphs, and across multiprocessors.
cuseq_backend_run(overflow 90 COMMAND cuda_overflow ${one_job})
foreach(way IN ITEMS stages encoder=cell,decoder=steps encoder=grid)
  string(MAKE_C_IDENTIFIER ${way} name)
  cuseq_backend_run(overflow_${name} 90 COMMAND cuda_overflow ${one_job} ENVIRONMENT CUSEQ_CUDA_PLAN=${way})
endforeach()
cuseq_backend_run(long_sums 90 COMMAND cuda_long_sums ${one_job})
cuseq_backend_run(golden 90 COMMAND cuda_golden ${one_job})
foreach(name IN ITEMS beam beam_devices beam_refusals)
  cuseq_backend_run(${name} 90 COMMAND cuda_${name} ${one_job} ENVIRONMENT BEAM_DEVICE=cuda)
endforeach()
cuseq_backend_run(self_attention_layers 90 COMMAND cuda_self_attention_layers ${one_job})
cuseq_backend_run(attention_heads 90 COMMAND cuda_attention_heads ${one_job})
cuseq_backend_run(structures 90 COMMAND cuda_structures ${one_job})
cuseq_backend_run(structures_steps 90 COMMAND cuda_structures ${one_job} ENVIRONMENT CUSEQ_CUDA_PLAN=decoder=steps)
cuseq_backend_run(structures_cell 90 COMMAND cuda_structures_smoke ${one_job} ENVIRONMENT CUSEQ_CUDA_PLAN=encoder=cell)
cuseq_backend_run(structures_perturbed 90 COMMAND cuda_structures_smoke ${one_job} ENVIRONMENT CUSEQ_EMULATOR_PERTURB=1
                  CUSEQ_EMULATOR_SEED=7)
foreach(architecture IN ITEMS 75 80 120)
  cuseq_backend_run(structures_${architecture} ${architecture} COMMAND cuda_structures_smoke ${one_job})
endforeach()
# The program of docs/cuda-graphs.md, as it stands there.
set(page ${PROJECT_SOURCE_DIR}/docs/cuda-graphs.md)
add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/page_graph.c
  COMMAND sed -n "/^## A program/,/^## To build/s/^    //p" ${page} > ${CMAKE_CURRENT_BINARY_DIR}/page_graph.c
  DEPENDS ${page} VERBATIM)
add_executable(cuda_page_graph ${CMAKE_CURRENT_BINARY_DIR}/page_graph.c)
target_include_directories(cuda_page_graph SYSTEM PRIVATE ${CUSEQ_CUDA_INCLUDE})
target_link_libraries(cuda_page_graph PRIVATE cuseq::cuseq ${CUSEQ_CUDART})
target_link_options(cuda_page_graph PRIVATE LINKER:--enable-new-dtags)
set_target_properties(cuda_page_graph PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_dependencies(cuda_page_graph cuseq_cuda)
cuseq_backend_run(page_graph 90 COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/page_graph.sh $<TARGET_FILE:cuda_page_graph>)

cuseq_backend_run(capture_seed3 90 COMMAND cuda_capture ${one_job} ENVIRONMENT CUSEQ_EMULATOR_SEED=3)
# With each mapping forced that can run them: some, and with --all thousands for each architecture.
backend_program(structure_plans cuda/structure_plans.c)
cuseq_backend_run(structure_plans 90 COMMAND cuda_structure_plans 200 120)
foreach(architecture IN ITEMS 75 80 90 120)
  cuseq_backend_run(structure_plans_${architecture}_long ${architecture} COMMAND cuda_structure_plans ${architecture} 3000
                    LABELS long)
  cuseq_backend_run(structure_plans_${architecture}_middle ${architecture} COMMAND cuda_structure_plans 7${architecture} 300 40
                    LABELS long)
endforeach()
cuseq_backend_run(structure_properties 90 COMMAND cuda_structure_properties ${one_job})
cuseq_backend_run(plan 90 COMMAND cuda_plan ${one_job})
cuseq_backend_run(calls 90 COMMAND cuda_calls ${one_job})
# Approximations as good as they are, with --all: what is wrong with them is as wrong with worse ones. sm_120, with --all too,
# runs the sources of sm_90; the plans that are its own are made by structures_120 as well.
cuseq_backend_run(encoders 90 COMMAND cuda_encoders ${one_job} LABELS long)
cuseq_backend_run(encoders_perturbed 90 COMMAND cuda_encoders ${one_job} ENVIRONMENT CUSEQ_EMULATOR_PERTURB=1
                  CUSEQ_EMULATOR_SEED=7)
foreach(architecture IN ITEMS 75 80)
  cuseq_backend_run(encoders_${architecture} ${architecture} COMMAND cuda_encoders ${one_job})
endforeach()
cuseq_backend_run(encoders_120 120 COMMAND cuda_encoders ${one_job} LABELS long)
cuseq_backend_run(calls_stages 90 COMMAND cuda_calls ${one_job} ENVIRONMENT CUSEQ_CUDA_PLAN=stages)
cuseq_backend_run(backends_perturbed 90 COMMAND cuda_backends_smoke ${one_job} ENVIRONMENT CUSEQ_EMULATOR_PERTURB=1
                  CUSEQ_EMULATOR_SEED=7)
# Mappings forced on shapes that they are not chosen for.
foreach(way IN ITEMS encoder=cell encoder=grid decoder=steps decoder=loop)
  string(MAKE_C_IDENTIFIER ${way} name)
  cuseq_backend_run(backends_${name} 90 COMMAND cuda_backends_smoke ${one_job} ENVIRONMENT CUSEQ_CUDA_PLAN=${way}
                    CUSEQ_EMULATOR_SEED=5)
endforeach()
# Devices that have less: few multiprocessors, little shared memory, neither cooperative launches nor clusters.
if(NOT CUSEQ_TEST_GPU)
  cuseq_backend_run(backends_one_multiprocessor 90 COMMAND cuda_backends_smoke ${one_job}
                    ENVIRONMENT CUSEQ_EMULATOR_MULTIPROCESSORS=1 CUSEQ_EMULATOR_SHARED=49152)
  cuseq_backend_run(backends_few_multiprocessors 90 COMMAND cuda_backends_smoke ${one_job} ENVIRONMENT
                    CUSEQ_EMULATOR_MULTIPROCESSORS=7 CUSEQ_EMULATOR_SHARED=49152 CUSEQ_CUDA_PLAN=encoder=grid)
  add_library(cuda_lesser MODULE lesser_device.c)
  target_include_directories(cuda_lesser SYSTEM PRIVATE ${CUSEQ_CUDA_INCLUDE})
  target_link_libraries(cuda_lesser PRIVATE ${CMAKE_DL_LIBS})
  set_target_properties(cuda_lesser PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  foreach(less IN ITEMS cooperative cooperative,clusters pointers)
    string(MAKE_C_IDENTIFIER ${less} name)
    cuseq_backend_run(backends_without_${name} 90 COMMAND cuda_backends_smoke ${one_job}
                      ENVIRONMENT CUSEQ_LESSER=${less} LD_PRELOAD=$<TARGET_FILE:cuda_lesser>)
  endforeach()
endif()
# Graphs are the host's: of other devices one, and with --all the others.
foreach(architecture IN ITEMS 75 80 120)
  cuseq_backend_run(backends_${architecture} ${architecture} COMMAND cuda_backends_smoke ${one_job})
endforeach()
cuseq_backend_run(graphs_75 75 COMMAND cuda_graphs ${one_job})
foreach(architecture IN ITEMS 80 120)
  cuseq_backend_run(graphs_${architecture} ${architecture} COMMAND cuda_graphs ${one_job} LABELS long)
endforeach()
foreach(seed RANGE 11 13)
  cuseq_backend_run(backends_seed${seed} 90 COMMAND cuda_backends ${one_job} ENVIRONMENT CUSEQ_EMULATOR_SEED=${seed}
                    LABELS long)
endforeach()

# The program, on the emulated device and without one.
if(NOT CUSEQ_TEST_GPU AND TARGET cuseq AND TARGET cli_files)
  add_library(cuda_other MODULE other_module.c)
  target_include_directories(cuda_other PRIVATE ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR}/include)
  add_library(cuda_old_driver MODULE old_driver.c)
  set_target_properties(cuda_other cuda_old_driver PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY
                        ${CMAKE_CURRENT_BINARY_DIR})
  list(GET backend_architectures 0 architecture)
  if(90 IN_LIST backend_architectures)
    set(architecture 90)
  endif()
  add_test(NAME cuda_cli COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/cli.sh)
  set_tests_properties(cuda_cli PROPERTIES LABELS cuda TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT
    "CUSEQ=$<TARGET_FILE:cuseq>;HELPERS=$<TARGET_FILE_DIR:cli_files>;ROOT=${PROJECT_SOURCE_DIR};EMULATOR=${CMAKE_BINARY_DIR}/emulator;OTHER=$<TARGET_FILE:cuda_other>;OLD_DRIVER=$<TARGET_FILE:cuda_old_driver>;LESSER=$<TARGET_FILE:cuda_lesser>;CUSEQ_EMULATOR_SM=${architecture}")
endif()

# The host's launches per call, counted by the emulated device.
find_program(CUSEQ_PYTHON python3)
if(CUSEQ_PYTHON AND NOT CUSEQ_TEST_GPU)
  backend_program(launches cuda/launches.c)
  cuseq_backend_run(launches 90 COMMAND ${CUSEQ_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/launches.py $<TARGET_FILE:cuda_launches>)
endif()

# Registers, shared memory and spills of every kernel and architecture, from the build's own reports: a table in the build
# folder, and each kernel held to its budget. And that calls go down through the host's files.
if(CUSEQ_PYTHON)
  add_test(NAME cuda_budget COMMAND ${CUSEQ_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/budget.py ${PROJECT_SOURCE_DIR}/kernels
           ${CMAKE_BINARY_DIR}/kernels/reports ${CMAKE_BINARY_DIR}/kernels.md)
  set_tests_properties(cuda_budget PROPERTIES LABELS cuda)
  add_test(NAME cuda_circles COMMAND ${CUSEQ_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/circles.py
           ${PROJECT_SOURCE_DIR}/host/backends/cuda)
  set_tests_properties(cuda_circles PROPERTIES LABELS cuda)
endif()
