#!/usr/bin/env bash
# emulated.sh BUILD CAPABILITY: the benchmark on the emulated device: every version once, all right, no times, nothing leaks.
set -euo pipefail
build=$1 capability=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$here/../../tests/emulator/emulate.sh" --counters="$folder/counters.json" --sm="$capability" "$build" "$build/bench/bench_gpu" \
  W1 "W2 B1" "W2 B32 mixed" "T 10" "chain H16 T200" "W9 encoder B1" --json "$folder/gpu.json" >"$folder/out" 2>"$folder/err" ||
  { cat "$folder/out" "$folder/err" >&2; exit 1; }
if grep -E 'emulator: leak|never waited for|WRONG' "$folder/out" "$folder/err"; then exit 1; fi
if grep -q ' us' "$folder/out"; then echo "emulated: a time was printed" >&2; exit 1; fi
grep -q whole_model "$folder/err" || { echo "emulated: no counters were printed" >&2; exit 1; }
python3 - "$folder/gpu.json" <<'PY'
import json, sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
rows = report["rows"]
assert report["bench"] == "gpu" and report["command"].startswith("./run bench gpu"), report["command"]
versions = {row["system"] for row in rows}
assert versions == {"cuseq", "per step", "per step, graph"}, versions
assert {row["workload"] for row in rows} == {"W1", "W2 B1", "W2 B32 mixed", "T 10", "chain H16 T200", "W9 encoder B1"}, rows
assert len(rows) == 16, len(rows)  # of a chain cuseq alone
for row in rows:
    assert row["kind"] == "time" and row["median_us"] is None and "emulated" in row["reason"], row
    assert not any(key.endswith("_us") and value is not None for key, value in row.items()), row
    assert 0 < row["error_share"] <= 1, row
PY

"$here/../../tests/emulator/emulate.sh" --sm="$capability" "$build" "$build/bench/bench_gpu_published" \
  "W9 B1" --json "$folder/published.json" >"$folder/out" 2>"$folder/err" || { cat "$folder/out" "$folder/err" >&2; exit 1; }
if grep -E 'emulator: leak|never waited for|WRONG' "$folder/out" "$folder/err"; then exit 1; fi
python3 - "$folder/published.json" <<'PY'
import json, sys

rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
assert [row["system"] for row in rows] == ["cuseq", "cuseq, launch per step"], rows
for row in rows:
    assert row["workload"] == "W9 B1" and row["median_us"] is None and "emulated" in row["reason"], row
    assert 0 < row["error_share"] <= 1, row
PY
