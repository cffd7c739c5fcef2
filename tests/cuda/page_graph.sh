#!/usr/bin/env bash
# page_graph.sh PROGRAM: the program of docs/cuda-graphs.md translates what `cuseq translate` does, launch by launch.
set -euo pipefail
wanted=$'1979-05-03\n2012-12-31'
got=$("$1" models/dates.safetensors "3 May 1979" "31 december 2012")
[ "$got" = "$wanted" ] || { printf 'page_graph: found %s (needed %s)\n' "$got" "$wanted" >&2; exit 1; }
