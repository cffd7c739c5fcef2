# The benchmark's own tests: what judges the answers, and the whole program on the emulated device and without a GPU.
add_executable(bench_gpu_checks checks.c cases.c floor.c)
target_link_libraries(bench_gpu_checks PRIVATE bench_gpu_peers)
add_test(NAME bench_gpu_checks COMMAND bench_gpu_checks)
set_tests_properties(bench_gpu_checks PROPERTIES LABELS cuda TIMEOUT 120)

add_test(NAME bench_gpu_without_gpu COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/without_gpu.sh $<TARGET_FILE:bench_gpu>
         WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(bench_gpu_without_gpu PROPERTIES LABELS cuda TIMEOUT 120)

if(CUSEQ_EMULATOR)
  foreach(architecture IN LISTS CUSEQ_CUDA_ARCHITECTURES)
    if(architecture STREQUAL 90 OR architecture STREQUAL 75)
      add_test(NAME bench_gpu_emulated_${architecture}
               COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/emulated.sh ${CMAKE_BINARY_DIR} ${architecture}
               WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      set_tests_properties(bench_gpu_emulated_${architecture} PROPERTIES LABELS cuda TIMEOUT 600)
    endif()
  endforeach()
endif()

# The peers that need a driver, against stand-ins for them: cuDNN computed on the host.
if(CUSEQ_EMULATOR AND CUSEQ_CUDNN_INCLUDE AND 90 IN_LIST CUSEQ_CUDA_ARCHITECTURES)
  add_library(bench_cudnn_stand_in SHARED cudnn_stand_in.c)
  set_target_properties(bench_cudnn_stand_in PROPERTIES OUTPUT_NAME cudnn SOVERSION 9 C_VISIBILITY_PRESET default
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/stand_in)
  target_include_directories(bench_cudnn_stand_in SYSTEM PRIVATE ${CUSEQ_CUDA_INCLUDE} ${CUSEQ_CUDNN_INCLUDE})
  target_link_libraries(bench_cudnn_stand_in PRIVATE ${CUSEQ_CUDART} m)
  target_link_options(bench_cudnn_stand_in PRIVATE LINKER:--enable-new-dtags)
  add_test(NAME bench_gpu_stand_ins
           COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/stand_ins.sh ${CMAKE_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/stand_in
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(bench_gpu_stand_ins PROPERTIES LABELS cuda TIMEOUT 600)
endif()
