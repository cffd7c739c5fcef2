#!/bin/sh
# compile.sh REPORT NVCC ARGUMENT...: runs nvcc and keeps what ptxas says of registers, shared memory and spills in REPORT.
set -eu
report=$1
shift
if "$@" 2>"$report.part"; then
  mv "$report.part" "$report"
  grep -E 'warning|error' "$report" >&2 || true
else
  status=$?
  cat "$report.part" >&2
  exit $status
fi
