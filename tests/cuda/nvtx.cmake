# The backend's NVTX ranges, as a tool that NVTX loads sees them. The executable lies beside the module, where the
# library looks for it.
add_library(nvtx_listener MODULE nvtx_listener.c)
target_include_directories(nvtx_listener SYSTEM PRIVATE ${CUSEQ_NVTX_INCLUDE})
add_executable(cuda_nvtx_ranges nvtx_ranges.c)
target_link_libraries(cuda_nvtx_ranges PRIVATE cuseq_internals cuseq_test_support PkgConfig::CRITERION)
set_target_properties(cuda_nvtx_ranges PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_dependencies(cuda_nvtx_ranges cuseq_cuda nvtx_listener)
list(GET CUSEQ_CUDA_ARCHITECTURES -1 nvtx_architecture)
if(90 IN_LIST CUSEQ_CUDA_ARCHITECTURES)
  set(nvtx_architecture 90)
endif()
cuseq_cuda_run(nvtx_ranges cuda_nvtx_ranges ARGUMENTS -j1 ENVIRONMENT CUSEQ_EMULATOR_SM=${nvtx_architecture}
               CUSEQ_TEST_LISTENER=$<TARGET_FILE:nvtx_listener>)
