#!/usr/bin/env bash
# profile.sh BUILD: NVIDIA's nsys on the demo and on `cuseq bench`, on a GPU. Leaves BUILD/profile/{demo,bench}.nsys-rep,
# for its window, and beside each a summary as text. docs/profiling.md says what to look for.
set -euo pipefail

die() {
  printf 'profile: %s\n' "$*" >&2
  exit 2
}

[ $# = 1 ] || die "a build folder is needed (found $# arguments)"
program=$(realpath "$1")/cuseq
folder=$1/profile
cd "$(dirname "${BASH_SOURCE[0]}")/.."

nsys=$(PATH=$PATH:/usr/local/cuda/bin command -v nsys) ||
  die "nsys: it is not here (needed NVIDIA Nsight Systems, on PATH or in /usr/local/cuda/bin)"
if ! "$program" devices | grep -q '^cuda:'; then
  reason=$("$program" bench models/dates.safetensors --device cuda 2>&1 >/dev/null || true)
  die "there is nothing to profile: ${reason#cuseq: }"
fi

# What is summed up: ranges, the calls that the host makes, kernels, and kernels by the range that launched them.
reports=(nvtx_pushpop_sum cuda_api_sum cuda_gpu_kern_sum nvtx_gpu_proj_sum)

# profile NAME COMMAND...
profile() {
  local report=$folder/$1 name
  shift
  "$nsys" profile --trace=cuda,nvtx,cublas --force-overwrite=true --output="$report" "$@" ||
    die "nsys failed (on: $*)"
  {
    printf '# %s\n' "$("$nsys" --version)" "$("$program" devices | grep '^cuda:0')" "$*"
    for name in "${reports[@]}"; do
      "$nsys" stats --force-export=true --report="$name" --format=column "$report.nsys-rep"
    done
  } >"$report.txt" || die "nsys cannot sum up $report.nsys-rep (its reason stands above, or in $report.txt)"
}

mkdir -p "$folder"
profile demo examples/dates/demo.sh "$program"
profile bench "$program" bench models/dates.safetensors --batch 1 --device cuda
printf '%s\n' "$folder"/{demo,bench}.{nsys-rep,txt}
