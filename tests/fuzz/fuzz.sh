#!/bin/sh
# Runs the fuzzers that a build folder has (configured with -DCUSEQ_FUZZ=ON).
#
#   fuzz.sh BUILD_DIR [SECONDS]       each for SECONDS (600), from the corpus and what earlier runs found
#   fuzz.sh BUILD_DIR --check NAME    one, over the corpus and a fixed number of mutations: the test
#
# What is found stays in BUILD_DIR/tests/fuzz: new inputs in found/NAME, failures as NAME-crash-... .
set -u

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0"
  exit 2
fi
build=$1/tests/fuzz
shift

# Memory: more than any input of this length may make a reader take; time: a hang, not a slow machine.
options="-max_len=8192 -rss_limit_mb=1024 -malloc_limit_mb=128 -timeout=60"

run() { # NAME FOUND option...
  name=$1 found=$2
  shift 2
  mkdir -p "$found"
  words=$here/dictionaries/$name
  [ -f "$words" ] && set -- "$@" "-dict=$words"
  "$build/fuzz_$name" $options "-artifact_prefix=$build/$name-" "$@" "$found" "$here/corpus/$name"
}

if [ "${1:-}" = --check ]; then
  if [ ! -x "$build/fuzz_$2" ]; then
    echo "skipped: fuzz_$2 is not built, which needs clang with libFuzzer"
    exit 77
  fi
  rm -rf "$build/check/$2"
  run "$2" "$build/check/$2" -runs=50000 -seed=1
  exit
fi

seconds=${1:-600}
status=0
none=1
for harness in "$build"/fuzz_*; do
  [ -x "$harness" ] || continue
  none=0
  name=${harness##*/fuzz_}
  echo "== $name, $seconds seconds"
  run "$name" "$build/found/$name" "-max_total_time=$seconds" -print_final_stats=1 || status=1
done
if [ $none = 1 ]; then
  echo "$build: no fuzzers are built there (configure with -DCUSEQ_FUZZ=ON, with clang installed)" >&2
  exit 2
fi
exit $status
