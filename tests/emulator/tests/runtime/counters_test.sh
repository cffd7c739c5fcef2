#!/usr/bin/env bash
# counters_test.sh EMULATE.SH BUILD_DIR PROGRAM: the counts of `counted`, as JSON and as a table.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" --counters="$folder/counts.json" "$2" "$3" 2>"$folder/table"
grep -q 'twice' "$folder/table"
grep -q 'launches 4 (1 library calls)' "$folder/table"
grep -q 'copies host_to_device: 1, 1024 bytes' "$folder/table"
python3 - "$folder/counts.json" <<'PYTHON'
import json, sys

counts = json.load(open(sys.argv[1]))
run = counts["run"]
assert run["launches"] == 4 and run["library_calls"] == 1, run
assert run["copies"]["host_to_device"] == {"count": 1, "bytes": 1024}, run
assert run["copies"]["device_to_host"] == {"count": 1, "bytes": 1024}, run
assert run["sets"] == {"count": 1, "bytes": 64}, run
assert run["allocations"]["count"] == 1 and run["allocations"]["freed"] == 1, run
assert run["never_waited_for"] == 0, run
assert len(counts["launches"]) == 4
first = counts["launches"][0]
assert "twice" in first["kernel"] and first["grid"] == [4, 1, 1] and first["block"] == [64, 1, 1], first
c = first["counters"]
assert c["blocks"] == 4 and c["threads"] == 256, c
assert c["global_load_requests"] == 8 and c["global_load_sectors"] == 32, c
assert c["global_store_requests"] == 8 and c["global_store_sectors"] == 32, c
assert c["global_sector_ratio"] == 1, c
assert c["shared_store_requests"] == 8 and c["shared_load_requests"] == 8 and c["shared_replays"] == 0, c
assert c["barriers"] == 8 and c["divergent_branches"] == 0, c
kernel = [k for k in counts["kernels"] if not k["library"]][0]
assert kernel["launches"] == 3 and kernel["counters"]["global_load_requests"] == 24, kernel
lines = [l for l in kernel["lines"] if l["file"].endswith("counted.cu")]
assert sum(l["counters"]["global_load_requests"] for l in lines) == 24, kernel["lines"]
PYTHON
echo "all as it should be"
