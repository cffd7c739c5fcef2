#!/usr/bin/env python3
"""counts_test.py PROGRAM: runs `counts` on the emulated device, compares with counts worked out by hand."""
import json
import os
import subprocess
import sys
import tempfile

# Launches in order; per launch the counts that are known.
WANTED = [
    # strided: 128 bytes are 4 sectors; every other word 8; words 32 bytes apart 32; 256 bytes apart 32
    *[
        dict(global_load_requests=1, global_load_sectors=sectors, global_store_requests=1,
             global_store_sectors=4, global_ideal_sectors=8, blocks=1, threads=32)
        for sectors in (4, 8, 32, 32)
    ],
    dict(global_load_requests=4, global_load_sectors=64, global_store_sectors=64, global_ideal_sectors=128,
         blocks=2, threads=128),
    dict(global_atomic_requests=2, global_atomic_sectors=2),
    *[
        dict(shared_store_requests=1, shared_load_requests=1, shared_replays=2 * (ways - 1), barriers=1)
        for ways in (1, 2, 32, 1)
    ],
    dict(shared_store_requests=1, shared_load_requests=1, shared_replays=0, barriers=1),
    dict(shared_store_requests=1, shared_load_requests=1, shared_replays=0),
    dict(shared_store_requests=1, shared_load_requests=1, shared_replays=0),
    dict(shared_store_requests=1, shared_load_requests=1, shared_replays=2 * 4),
    dict(shared_store_requests=1, shared_load_requests=1, shared_replays=2 * 2),
    dict(barriers=6, divergent_branches=6, blocks=3, threads=192),
    dict(blocks=2, threads=96),
    # whoever looks at a flag in vain is counted once, and once more when it is raised, however long that takes
    *[dict(global_load_requests=2, global_load_sectors=2, global_store_requests=work + 1) for work in (1, 1000)],
]
SUMS = 16  # the launch whose classes are known
CLASSES = dict(half=3, float=2, double=1, special=2, conversion=3)  # of it, per warp


def main():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "counts.json")
        subprocess.run([sys.argv[1]], check=True, env=dict(os.environ, CUSEQ_EMULATOR_COUNTERS=path))
        with open(path) as file:
            launches = json.load(file)["launches"]
    if len(launches) != len(WANTED):
        failures.append(f"{len(launches)} launches, not {len(WANTED)}")
    for number, (launch, wanted) in enumerate(zip(launches, WANTED)):
        for name, value in wanted.items():
            found = launch["counters"][name]
            if found != value:
                failures.append(f"launch {number} ({launch['kernel']}): {name} is {found}, not {value}")
    for launch in launches:
        if (launch["counters"]["polls"] > 0) != (launch["kernel"] == "polls"):
            failures.append(f"{launch['kernel']}: {launch['counters']['polls']} polls")
    counters = launches[SUMS]["counters"]
    names = list(counters["warp_instructions"])
    for start, count in CLASSES.items():
        name = next((n for n in names if n.startswith(start) or n.endswith(start)), None)
        found = counters["warp_instructions"].get(name), counters["thread_instructions"].get(name)
        if found != (4 * count, 96 * count):  # two warps in each of two blocks, 48 threads a block
            failures.append(f"class {start} ({name} of {names}): {found}, not {(4 * count, 96 * count)}")
    print("\n".join(failures) or "all as it should be")
    return bool(failures)


sys.exit(main())
