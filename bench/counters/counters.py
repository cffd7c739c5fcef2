"""What one call of each workload costs, as the emulated device counts it, against what is least possible.

  counters.py EMULATE BUILD              prints the table
  counters.py EMULATE BUILD --write      and keeps it in table.md beside this file
  counters.py EMULATE BUILD --check      fails where a call has more launches or sectors than table.md says

EMULATE is tests/emulator/emulate.sh. Counts of a call are those of a run with one call less those of a run with none; per
time step they are the difference between T and 2 T positions, over T. Everything is at compute capability 9.0.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "table.md")
SECTOR = 32
RECURRENCE = re.compile(r"lstm_[a-z_]+\.cuh?$")


class Workload:
    """Sizes as in workload.c, and what is to be reached."""

    def __init__(self, title, B, T, F, H, ids=False, keys=1, S=0, Y=1, V=0, **reach):
        self.title, self.B, self.T, self.F, self.H, self.ids, self.keys = title, B, T, F, H, ids, keys
        self.S, self.Y, self.V, self.reach = S, Y, V, reach

    def encoder(self, T):
        """Floats of the encoder's weights of both directions; of ids only the rows of W that can be met."""
        rows = min(self.F, T) if self.ids else self.F
        return 2 * 4 * self.H * (rows + self.H + 1)

    def results(self, T):
        """What is written whatever is asked for: annotations, which stay in the session, and final states."""
        return self.B * T * 2 * self.H + 4 * self.B * self.H

    def whole(self, T):
        """Every row has a block, which holds all weights: once per block; input and results once."""
        A, S, u = 2 * self.H, self.S or 2 * self.H, self.keys
        weights = self.encoder(T) + (A + S + 1) * u + (u + 1 if self.S else 0)
        if self.S:
            weights += 4 * self.S * (A + self.S + 1) + (self.S + 1) * self.V
        moved = self.B * T * (1 if self.ids else self.F) + self.results(T)
        moved += self.B * self.Y * (A + T + (self.V + 1 if self.V else 0))
        return self.B * weights + moved

    def stages(self, T, holders, state):
        """A sequence kernel and the keys. xW is read once (its product is cuBLAS's, whose traffic the device does not count);
        U once per group of blocks that holds a direction; `state`: floats of h through memory per step; annotations are
        written, read for the keys, and the keys written."""
        H = self.H
        xw = self.B * T * 2 * 4 * H
        keys = self.B * T * 2 * H + 2 * H * self.keys + self.B * T * self.keys
        return holders * 4 * H * (H + 1) + xw + state * T + self.results(T) + keys

    def least(self, T, launches):
        if self.H <= 64:
            return self.whole(T) * 4 / SECTOR
        if self.H <= 128:  # a cluster of two blocks for each direction of a row
            return self.stages(T, 2 * self.B, 0) * 4 / SECTOR
        blocks = max((launch["counters"]["blocks"] for launch in launches if "grid" in launch["kernel"]), default=0)
        # h of all rows once per block and step, and written once
        return self.stages(T, 2, blocks * self.B * self.H + 2 * self.B * self.H) * 4 / SECTOR


WORKLOADS = {
    "W1": Workload("W1, dense", 5, 30, 37, 16, launches=1, sectors=1.3, replays=0, barriers=0),
    "W2": Workload("W2, B 1", 1, 30, 37, 32, True, 10, 64, 10, 11, launches=1, sectors=1.3, replays=2, barriers=0),
    "W2x32": Workload("W2, B 32", 32, 30, 37, 32, True, 10, 64, 10, 11, launches=1, sectors=1.3, replays=2, barriers=0),
    "W3": Workload("W3", 32, 100, 128, 128, launches=3, sectors=1.5, replays=2, barriers=1),
    "W4": Workload("W4, T 8", 64, 8, 512, 512, launches=3, sectors=1.6, replays=5, barriers=1),
}


def run(emulate, build, name, calls, T):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "counters.json")
        environment = dict(os.environ, CUSEQ_EMULATOR_COUNTERS=path, CUSEQ_EMULATOR_SM="90")
        program = os.path.join(build, "bench", "bench_counters")
        subprocess.run([emulate, build, program, name, str(calls), str(T)], env=environment, check=True)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def total(launches, *names):
    return sum(launch.get("counters", {}).get(name, 0) for launch in launches for name in names)


def arrivals(counts):
    """Barriers of the recurrences' source lines, a warp's; a cluster's barrier is an arrival and a wait. Flag barriers are
    the atomics of a block."""
    found = 0.0
    for kernel in counts["kernels"]:
        launches = [one for one in counts["launches"] if one["kernel"] == kernel["kernel"] and "grid" in one]
        if not launches:
            continue
        shape = launches[0]
        blocks, warps = kernel["counters"]["blocks"], (shape["block"][0] * shape["block"][1] + 31) // 32
        if "lstm_grid" in kernel["kernel"]:
            found += kernel["counters"]["global_atomic_requests"] / blocks
            continue
        lines = [line for line in kernel.get("lines", []) if RECURRENCE.search(line["file"])]
        count = sum(line["counters"]["barriers"] for line in lines) / (blocks * warps)
        found += count / 2 if shape["cluster"][0] > 1 else count
    return found


def measure(emulate, build, name):
    w = WORKLOADS[name]
    none, once, twice = (run(emulate, build, name, c, t) for c, t in ((0, w.T), (1, w.T), (1, 2 * w.T)))
    host = [one["run"]["launches"] + one["run"]["graph_launches"] for one in (none, once, twice)]
    launches = once["launches"][len(none["launches"]):]
    sectors = total(launches, "global_load_sectors", "global_store_sectors", "global_atomic_sectors")
    shared = total(launches, "shared_load_requests", "shared_store_requests", "shared_atomic_requests")
    least = w.least(w.T, launches)
    return {
        "title": w.title,
        "launches": host[1] - host[0],
        "doubled": host[2] - host[0],
        "nodes": len(launches),
        "sectors": sectors,
        "least": round(least),
        "ratio": sectors / least,
        "replays": 100.0 * total(launches, "shared_replays") / shared if shared else 0.0,
        "barriers": (arrivals(twice) - arrivals(once)) / w.T,
        "reach": w.reach,
    }


def verdict(row):
    reach = row["reach"]
    missed = [what for what, is_reached in (
        ("launches", row["launches"] <= reach["launches"]),
        ("sectors", row["ratio"] <= reach["sectors"]),
        ("replays", row["replays"] <= reach["replays"] + 0.005),
        ("barriers", row["barriers"] <= reach["barriers"] + 0.05),
        ("grows with T", row["doubled"] == row["launches"]),
    ) if not is_reached]
    return "reached" if not missed else "missed: " + ", ".join(missed)


def table(rows):
    text = [
        "| workload | launches per call (to reach) | kernel nodes | launches at 2 T | global sectors | least possible | ratio (to reach)"
        " | shared replays, % (to reach) | barriers per time step (to reach) | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        reach = row["reach"]
        text.append(
            f"| {row['title']} | {row['launches']} ({reach['launches']}) | {row['nodes']} | {row['doubled']} | {row['sectors']}"
            f" | {row['least']} | {row['ratio']:.2f} ({reach['sectors']}) | {row['replays']:.2f} ({reach['replays']})"
            f" | {row['barriers']:.2f} ({reach['barriers']}) | {verdict(row)} |")
    return "\n".join(text) + "\n"


HEAD = """# What a call costs, as the emulated device counts it

Made by `./run bench counters --write`, checked by the tests: a change that costs a launch or a sector more fails there. None
of it is a time. W1 is batch 5, T 30, F 37, H 16 with dense input; W2 the dates model on ids, all ten steps; W3 batch 32, T 100, F 128,
H 128, W4 batch 64, T 8, F 512, H 512, the encoder and the keys of the attention. Compute capability 9.0.

- A launch is a launch call of the host: a graph or a cuBLAS call is one. Kernel nodes are what ran.
- Sectors are 32 bytes of global memory, read, written or changed. Least possible: weights once per block (or cluster, or group of
  blocks) that holds them - a block for each row in W1 and W2, a cluster for each row and direction in W3, a group for each
  direction in W4 -, of ids at most the rows of W that T positions can name; inputs and outputs once; the annotations written once, and
  read once where the keys are a launch of their own; xW read once where cuBLAS makes it (cuBLAS's own traffic is on neither
  side); in W4 h once per block and step.
- Replays are further passes of shared-memory requests, of all requests of the call.
- Barriers per time step are a warp's, on the recurrence's source lines, from the difference between T and 2 T; W4: flag barriers.

"""


def kept():
    """Title -> launches, sectors, of table.md."""
    found = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 6 and re.match(r"\d+ \(", cells[2]):
                found[cells[1]] = int(cells[2].split()[0]), int(cells[5])
    return found


def check(rows):
    before, failed = kept(), False
    for row in rows:
        if row["title"] not in before:
            print(f"{row['title']}: not in table.md", file=sys.stderr)
            failed = True
            continue
        for what, now, then in zip(("launches", "sectors"), (row["launches"], row["sectors"]), before[row["title"]]):
            if now > then:
                print(f"{row['title']}: {what}: {now}, and table.md has {then}", file=sys.stderr)
                failed = True
            elif now < then:
                print(f"{row['title']}: {what}: {now} now, fewer than table.md's {then}: --write keeps them")
    return 1 if failed else 0


def main(arguments):
    if len(arguments) < 2 or arguments[2:] not in ([], ["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    emulate, build = arguments[:2]
    rows = [measure(emulate, build, name) for name in WORKLOADS]
    text = table(rows)
    print(text, end="")
    if arguments[2:] == ["--write"]:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(HEAD + text)
    return check(rows) if arguments[2:] == ["--check"] else 0


sys.exit(main(sys.argv[1:]))
