#!/usr/bin/env bash
# What a call of each workload costs on the emulated device: bench.sh BUILD_DIR [--write|--check] [--json FILE]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { echo "bench: a build folder is needed (found nothing)" >&2; exit 2; }
[ -x "$1/bench/bench_counters" ] || { echo "bench: $1/bench/bench_counters is not there (it needs nvcc and cuBLAS)" >&2; exit 2; }
exec python3 -B "$here/counters.py" "$here/../../tests/emulator/emulate.sh" "$@"
