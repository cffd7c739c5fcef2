#!/usr/bin/env bash
# What the kernels' machine code costs a step: bench.sh BUILD_DIR [--write|--check|--show KERNEL]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { echo "bench: a build folder is needed (found nothing)" >&2; exit 2; }
exec python3 -B "$here/machine.py" "$@" --tools "$1/disassembler/bin" --tools "$1/toolkit/bin" --tools /usr/local/cuda/bin
