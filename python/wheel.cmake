# The project as a part of a wheel: nothing but what the wheel takes of it. Read before the project's own CMakeLists.txt.
set(CUSEQ_TESTS OFF)
set(CUSEQ_BENCH OFF)
set(CUSEQ_EMULATOR OFF)
set(CUSEQ_SERVING OFF)
set(CUSEQ_PYTHON_PACKAGE OFF)

# Wheels for other machines: every library is linked from its archive, those in CUSEQ_WHEEL_LIBRARIES, which cmake/wheel.sh
# built, before the system's; what is not used of them is left out, and none of their names is exported.
set(CUSEQ_WHEEL_LIBRARIES "" CACHE PATH "A folder of static libraries; all are then linked statically")
if(CUSEQ_WHEEL_LIBRARIES)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so) # NVIDIA's runtime is a wheel of its own, and stays shared
  set(ENV{PKG_CONFIG_PATH} ${CUSEQ_WHEEL_LIBRARIES}/lib/pkgconfig)
  set(HDF5_ROOT ${CUSEQ_WHEEL_LIBRARIES})
  add_link_options(LINKER:--exclude-libs,ALL LINKER:--gc-sections -s)
  add_compile_options(-fno-asynchronous-unwind-tables) # nothing unwinds C
endif()
