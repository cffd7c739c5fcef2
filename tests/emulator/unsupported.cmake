# cmake -DNAMES=names.txt -DLIBRARY=libcudart.so.13 -DSTATUS=801 -DC=out.c -DMAP=out.map -P unsupported.cmake
# Writes, from a committed list of names, a weak function for each of them that answers "not supported" (what is built
# elsewhere takes its place), and the version script that exports exactly these names.
file(STRINGS ${NAMES} names)
set(code "extern int emu_unsupported(const char *name);\n")
set(map "${LIBRARY} {\n  global:\n")
foreach(name IN LISTS names)
  string(APPEND code "__attribute__((weak, visibility(\"default\"))) int ${name}(void);\n"
                     "int ${name}(void) {\n  return emu_unsupported(\"${name}\");\n}\n")
  string(APPEND map "    ${name};\n")
endforeach()
string(APPEND map "  local:\n    *;\n};\n")
file(WRITE ${C} "${code}")
file(WRITE ${MAP} "${map}")
