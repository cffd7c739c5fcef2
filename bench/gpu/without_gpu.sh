#!/usr/bin/env bash
# without_gpu.sh BENCH_GPU: what the benchmark says where there is no GPU, and of arguments that make no sense.
set -euo pipefail
program=$1
export CUDA_VISIBLE_DEVICES=-1
failed=0

# expect STATUS PATTERN ARGUMENT...: exit status, and a line that stderr has.
expect() {
  local want=$1 pattern=$2 status=0 said
  shift 2
  said=$("$program" "$@" 2>&1 >/dev/null) || status=$?
  if [ "$status" != "$want" ] || ! grep -q -- "$pattern" <<<"$said"; then
    echo "bench_gpu $*: status $status, said: $said (needed $want, $pattern)" >&2
    failed=1
  fi
}

expect 2 '^bench_gpu: there is no NVIDIA GPU to measure'
expect 0 '^bench_gpu: there is no NVIDIA GPU to measure' --skip-without-gpu
expect 0 '^bench_gpu: there is no NVIDIA GPU to measure' --skip-without-gpu W1 "W4 mixed"
expect 2 '^bench_gpu: W10: there is no such case' --skip-without-gpu W10
expect 2 '^usage: ' --rounds 0
expect 2 '^usage: ' --rounds 15x
expect 2 'unrecognized option' --round-trips

names=$("$program" --list)
for name in W1 "W2 B1" "W2 B32" "W2 B1024" W3 W4 W8 "W7 encoder B32" "forward H768" "two layers" "W4 mixed" "B 1" "B 4096" "H 16" "H 1024" "T 1000" "chain H128 T1200"; do
  grep -qx "$name" <<<"$names" || { echo "--list lacks $name" >&2; failed=1; }
done
exit $failed
