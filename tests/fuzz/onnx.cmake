# The reader of .onnx, with the structures that protoc-c makes, and the model that becomes of a graph.
file(GLOB onnx_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/host
  ${PROJECT_SOURCE_DIR}/host/formats/onnx/*.c ${PROJECT_SOURCE_DIR}/host/convert/onnx/*.c
  ${PROJECT_SOURCE_DIR}/host/convert/graph/*.c ${PROJECT_SOURCE_DIR}/host/convert/recognise/*.c)
file(GLOB model_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR}/host/model/*.c)
set(generated ${PROJECT_BINARY_DIR}/host/formats/onnx)
cuseq_fuzzer(onnx
  SOURCES error.c sized.c rlimits.c status.c formats/arena.c formats/file.c formats/json_bound.c formats/output_file.c formats/safetensors.c
          formats/safetensors_dtype.c formats/safetensors_write.c ${model_sources} ${onnx_sources}
  OPTIONS -I${generated} ${generated}/onnx.pb-c.c ${PROTOBUF_C_CFLAGS} ${PROTOBUF_C_LDFLAGS} ${JANSSON_CFLAGS} ${JANSSON_LDFLAGS} -lm)
if(TARGET build_fuzz_onnx)
  add_dependencies(build_fuzz_onnx cuseq_onnx_generated)
endif()
