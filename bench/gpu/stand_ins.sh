#!/usr/bin/env bash
# stand_ins.sh BUILD FOLDER: cuDNN's peer on the emulated device against the stand-in library in FOLDER, and PyTorch's on the
# CPU where it is installed: all answers right, algorithms that are refused named.
set -euo pipefail
build=$1 folder=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
json=$(mktemp)
said=$(mktemp)
trap 'rm -f "$json" "$said"' EXIT

CUSEQ_BENCH_STAND_INS=1 LD_LIBRARY_PATH=$folder "$here/../../tests/emulator/emulate.sh" --sm=90 "$build" "$build/bench/bench_gpu" \
  W1 "W2 B32 mixed" --json "$json" >"$said" 2>&1 || { cat "$said" >&2; exit 1; }
if grep -E 'emulator: leak|never waited for|WRONG' "$said"; then exit 1; fi
python3 - "$json" "$said" <<'PY'
import json, sys

rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
for row in rows:
    right = row["error_share"] is not None and 0 <= row["error_share"] <= 1
    assert right or row["system"].startswith("PyTorch"), row
assert sum(row["system"] in ("cuDNN, padded", "cuDNN, packed") for row in rows) == 4, rows
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
notes = {(line.split("  ")[1].strip(), kind): line for line in lines for kind in ("padded", "packed") if "cuDNN, " + kind in line}
assert not any(" us" in line for line in notes.values()), notes
assert "PERSIST_STATIC not supported" in notes["W2 B32 mixed", "padded"], notes
assert "PERSIST_STATIC not supported" not in notes["W1", "padded"], notes
assert "PERSIST_DYNAMIC not supported" in notes["W1", "packed"], notes
assert "PERSIST_DYNAMIC not supported" not in notes["W1", "padded"], notes
PY
