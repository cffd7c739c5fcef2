#!/usr/bin/env bash
# The library exports every function that the header declares, and nothing else: exports.sh LIBRARY INCLUDE_DIR
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
exported=$(nm -D --defined-only "$1" | awk '$2 ~ /[TDBR]/ {print $3}' | grep -vE '^(__asan|__ubsan|__tsan|_init$|_fini$)' | sort)
declared=$(tr '\n' ' ' <"$2/cuseq/cuseq.h" | grep -oE 'CUSEQ_API [^;(]*\(' | grep -oE 'cuseq_[a-z_0-9]+ ?\($' | tr -d ' (' | sort)
echo "$declared" >"$folder/declared"
echo "$exported" >"$folder/exported"
diff "$folder/declared" "$folder/exported"
