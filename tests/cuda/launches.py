"""Launches of the host per call, as the emulated device counts them, for every way of running a model: the same whatever T and
Y are, and as many as there are stages.

  launches.py PROGRAM    PROGRAM is launches.c's, with the emulated device in LD_LIBRARY_PATH
"""

import json
import os
import subprocess
import sys
import tempfile

# Launches of each model of launches.c by the plan that is forced. Two layers of projection and encoder (the warp mapping takes x
# itself, and then there is no projection), keys, the decoder. A tagger's directions of unequal widths are a launch each, and its
# head is a product and what finishes it.
WAYS = {
    (0, "stages"): 2 + 1 + 1,
    (0, "encoder=grid"): 2 * 2 + 1 + 1,
    (0, "encoder=cell"): 2 * 2 + 1 + 1,
    (0, "decoder=steps"): 2 + 1 + 1,
    (0, "encoder=cell,decoder=steps"): 2 * 2 + 1 + 1,
    (1, ""): 1,
    (1, "stages"): 2 + 1 + 1,
    (1, "decoder=steps"): 2 + 1 + 1,
    (1, "encoder=cell"): 2 * 2 + 1 + 1,
    (2, ""): 2 + 2,
}


def launches(program, model, plan, T, Y, calls):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "counts.json")
        subprocess.run([program, plan, str(T), str(Y), str(calls), str(model)], check=True,
                       env=dict(os.environ, CUSEQ_EMULATOR_COUNTERS=path))
        with open(path, encoding="utf-8") as file:
            run = json.load(file)["run"]
    return run["launches"] - run["graph_nodes"] + run["graph_launches"], run["allocations"]["count"]


def main(program):
    failures = []
    for (model, plan), wanted in WAYS.items():
        for T, Y in ((5, 2), (10, 4), (129, 31)):
            none, opened = launches(program, model, plan, T, Y, 0)
            three, allocated = launches(program, model, plan, T, Y, 3)
            if three - none != 3 * wanted:
                failures.append(f"model {model}, {plan}, T {T}, Y {Y}: found {three - none} launches in 3 calls, needed {3 * wanted}")
            if allocated != opened:
                failures.append(f"model {model}, {plan}, T {T}, Y {Y}: calls allocate ({allocated - opened} times)")
    print(f"{len(WAYS)} ways, {'FAILED' if failures else 'passed'}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if len(sys.argv) != 2:
    print(__doc__, file=sys.stderr)
    sys.exit(2)
sys.exit(main(sys.argv[1]))
