# The Keras reader's own code: the stream from cuseq-hdf5, the configuration's JSON, the graph, and the model that the
# library makes of them. libhdf5 itself is not in it; it runs in a process of its own.
file(GLOB keras_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/host
  ${PROJECT_SOURCE_DIR}/host/convert/keras/*.c ${PROJECT_SOURCE_DIR}/host/convert/graph/*.c
  ${PROJECT_SOURCE_DIR}/host/convert/recognise/*.c)
file(GLOB model_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR}/host/model/*.c)
list(FILTER keras_sources EXCLUDE REGEX "/(archive|convert)\\.c$")
cuseq_fuzzer(keras
  SOURCES error.c sized.c rlimits.c status.c formats/arena.c formats/file.c formats/hdf5/tree.c formats/json_bound.c formats/output_file.c formats/safetensors.c
          formats/safetensors_dtype.c formats/safetensors_write.c ${model_sources} ${keras_sources}
  OPTIONS ${JANSSON_CFLAGS} ${JANSSON_LDFLAGS} -lm)
