# What `cmake --install` lays down: header, library, program, find_package(cuseq) and pkg-config.
include(CMakePackageConfigHelpers)

install(TARGETS cuseq_library EXPORT cuseq-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/cuseq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT cuseq-targets NAMESPACE cuseq:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/cuseq)

configure_package_config_file(cmake/cuseq-config.cmake.in ${CMAKE_BINARY_DIR}/package/cuseq-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/cuseq)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/cuseq-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/cuseq-config.cmake ${CMAKE_BINARY_DIR}/package/cuseq-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/cuseq)

# The prefix is told from where the .pc file lies, so that `cmake --install --prefix` may choose another.
file(RELATIVE_PATH CUSEQ_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/cuseq.pc.in ${CMAKE_BINARY_DIR}/package/cuseq.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/cuseq.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS cuseq RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/cuseq.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES completion/cuseq.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME cuseq)
install(TARGETS cuseq-hdf5 RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cuseq)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
