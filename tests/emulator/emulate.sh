#!/usr/bin/env bash
# emulate.sh [OPTION...] BUILD_DIR [OPTION...] COMMAND...
#   --counters[=FILE]  --check=on|off|report  --sm=N  --seed=N
# Runs a CUDA program on the emulated device whose libraries are in BUILD_DIR/emulator. --counters prints a table of
# what it did at its end, and writes FILE (JSON) where one is named. Exit status: the command's; 2 for bad usage.
set -euo pipefail

die() {
  printf 'emulate: %s\n' "$*" >&2
  exit 2
}

# Options stand before the build folder or after it.
taken=0
options() {
  local before=$#
  while [ $# -gt 0 ]; do
    case $1 in
    --counters) export CUSEQ_EMULATOR_TABLE=1 ;;
    --counters=?*)
      export CUSEQ_EMULATOR_TABLE=1
      export CUSEQ_EMULATOR_COUNTERS=${1#*=}
      ;;
    --check=on | --check=off | --check=report) export CUSEQ_EMULATOR_CHECKS=${1#*=} ;;
    --sm=?*) export CUSEQ_EMULATOR_SM=${1#*=} ;;
    --seed=?*) export CUSEQ_EMULATOR_SEED=${1#*=} ;;
    --*) die "$1: no such option (--counters[=FILE], --check=on|off|report, --sm=N, --seed=N)" ;;
    *) break ;;
    esac
    shift
  done
  taken=$((before - $#))
}

options "$@"
shift $taken
[ $# -ge 2 ] || die "a build folder and a command are needed (found $# arguments)"
libraries=$1/emulator
shift
options "$@"
shift $taken
[ $# -ge 1 ] || die "a command is needed (found none)"
[ -e "$libraries/libcudart.so.13" ] || die "$libraries: no emulated device there (build it with nvcc in the PATH)"
libraries=$(cd "$libraries" && pwd)
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# A program whose runtime was linked statically never asks for ours.
program=$(command -v -- "$1" || true)
if [ -n "$program" ] && grep -q '\.nv_fatbin' "$program" 2>/dev/null && ! grep -q 'libcudart\.so\.13' "$program"; then
  echo "emulate: $1: its CUDA runtime is not libcudart.so.13 (build it with nvcc 13 -cudart shared)" >&2
fi
exec "$@"
