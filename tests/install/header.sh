#!/usr/bin/env bash
# The public header alone, with every warning an error: header.sh c11|c++17 INCLUDE_DIR
set -euo pipefail
case $1 in
c11) compiler=(gcc -x c -std=c11) ;;
c++17) compiler=(g++ -x c++ -std=c++17) ;;
esac
printf '#include <cuseq/cuseq.h>\n#include <cuseq/cuseq.h>\nint main(void) { return CUSEQ_STATUS_OK; }\n' |
  "${compiler[@]}" -pedantic-errors -Wall -Wextra -Werror -I "$2" -fsyntax-only -
