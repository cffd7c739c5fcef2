# Wheels for other machines: every library is linked from its archive, those in CUSEQ_WHEEL_LIBRARIES, which cmake/wheel.sh
# built, before the system's; what is not used of them is left out, and none of their names is exported. Read before the
# project's own CMakeLists.txt.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so) # NVIDIA's runtime is a wheel of its own, and stays shared
set(ENV{PKG_CONFIG_PATH} ${CUSEQ_WHEEL_LIBRARIES}/lib/pkgconfig)
set(HDF5_ROOT ${CUSEQ_WHEEL_LIBRARIES})
add_link_options(LINKER:--exclude-libs,ALL LINKER:--gc-sections -s)
add_compile_options(-fno-asynchronous-unwind-tables) # nothing unwinds C
