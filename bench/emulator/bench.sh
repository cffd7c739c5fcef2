#!/usr/bin/env bash
# The emulated device's speed, checks on and off, on one host thread: bench.sh BUILD_DIR [ROUNDS]
# Thread instructions are the device's own count, the time is the best round's; the figures are the host's, not a GPU's.
set -euo pipefail
build=$1 rounds=${2:-5}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ -x "$build/bench/bench_emulator" ] || { echo "bench: build/bench/bench_emulator is not there (it needs nvcc)" >&2; exit 2; }
counters=$(mktemp)
trap 'rm -f "$counters"' EXIT

emulated() { "$here/tests/emulator/emulate.sh" "$@"; }

emulated --counters="$counters" "$build" "$build/bench/bench_emulator" 1 >/dev/null 2>&1
instructions=$(python3 - "$counters" <<'PY'
import json, sys
launches = json.load(open(sys.argv[1]))["launches"]
print(sum(sum(launch["counters"]["thread_instructions"].values()) for launch in launches))
PY
)
echo "# machine   $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)"
echo "# command   ./run bench emulator $rounds"
echo "# kernel    bench/emulator/loop.cu: float32 loop with loads and stores, all lanes active, $instructions thread instructions"
echo "# checks  host threads  best of $rounds (s)  million thread instructions/s  to reach"
row() {
  local seconds
  seconds=$(CUSEQ_EMULATOR_THREADS=$2 emulated --check="$1" "$build" "$build/bench/bench_emulator" "$rounds")
  awk -v c="$1" -v t="$2" -v s="$seconds" -v n="$instructions" -v bar="$3" \
    'BEGIN { rate = n / s / 1e6; verdict = bar == "-" ? "" : rate >= bar ? "reached" : "MISSED";
             printf "%-9s %-13d %-18.4f %-30.0f %s %s\n", c, t, s, rate, bar, verdict }'
}
row on 1 300
row off 1 1000
row on 2 -
row off 2 -
