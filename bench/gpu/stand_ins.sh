#!/usr/bin/env bash
# stand_ins.sh BUILD FOLDER: cuDNN's peers on the emulated device against the stand-in library in FOLDER, and PyTorch's on the
# CPU where it is installed: all answers right, algorithms that are refused named.
set -euo pipefail
build=$1 folder=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
json=$(mktemp)
said=$(mktemp)
trap 'rm -f "$json" "$said"' EXIT
export CUSEQ_BENCH_STAND_INS=1 CUSEQ_BENCH_TORCH_DEVICE=${CUSEQ_BENCH_TORCH_DEVICE-cpu}

# emulated PROGRAM CASE...
emulated() {
  local program=$1
  shift
  LD_LIBRARY_PATH=$folder "$here/../../tests/emulator/emulate.sh" --sm=90 "$build" "$build/bench/$program" \
    "$@" --json "$json" >"$said" 2>&1 || { cat "$said" >&2; exit 1; }
  if grep -E 'emulator: leak|never waited for|WRONG' "$said"; then exit 1; fi
}

emulated bench_gpu W1 "W2 B32 mixed" "W6 encoder B1" "forward H40"
python3 - "$json" "$said" <<'PY'
import json, sys

rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
kinds = ("standard", "persistent", "packed")
notes = {(line.split("  ")[1].strip(), kind): line for line in lines for kind in kinds if "cuDNN, " + kind in line}
for row in rows:
    right = row["error_share"] is not None and 0 <= row["error_share"] <= 1
    refused = "none works" in notes.get((row["workload"], row["system"].partition(", ")[2]), "")
    assert right or refused or row["system"].startswith("PyTorch"), row
assert sum(row["system"].startswith("cuDNN, ") for row in rows) == 12, rows
assert sum(row["system"] == "cuDNN, standard" and row["error_share"] is not None for row in rows) == 4, rows
assert not any(" us" in line for line in notes.values()), notes
assert "PERSIST_STATIC not supported" in notes["W2 B32 mixed", "persistent"], notes
assert "PERSIST_STATIC not supported" not in notes["W1", "persistent"], notes
assert "PERSIST_DYNAMIC not supported" in notes["W1", "packed"], notes
assert "PERSIST_DYNAMIC not supported" not in notes["W1", "persistent"], notes
PY

emulated bench_gpu_published "W5 B1" "W9 B1"
python3 - "$json" <<'PY'
import json, sys

rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
assert [row["system"] for row in rows] == ["cuseq", "cuseq, launch per step", "PyTorch"] * 2, rows
for row in rows:
    right = row["error_share"] is not None and 0 <= row["error_share"] <= 1
    assert right or row["system"] == "PyTorch" and row["error_share"] is None, row
PY
