"""What one call of each workload costs, as the emulated device counts it, against what is least possible and against the
per-step version.

  counters.py EMULATE BUILD                  prints the tables
  counters.py EMULATE BUILD --write          and keeps them in table.md beside this file
  counters.py EMULATE BUILD --check          the first two tables alone; fails where a call costs more than table.md says
  counters.py EMULATE BUILD --json FILE      and writes the figures as JSON

EMULATE is tests/emulator/emulate.sh.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

import table
from measure import measure_fused, measure_per_step, measure_structure, with_products
from workloads import STRUCTURES, WORKLOADS

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def said_by(*command):
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return result.stdout.strip() or "unknown"


def version():
    with open(os.path.join(ROOT, "include/cuseq/cuseq.h"), encoding="utf-8") as file:
        return ".".join(re.findall(r"#define CUSEQ_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read()))


def json_row(row, version):
    instructions, sectors = with_products(row)
    figures = {
        "kind": "counter", "workload": row["name"], "version": version, "launches": row["launches"],
        "launches_doubled": row["doubled"], "nodes": row["nodes"], "instructions": row["instructions"],
        "instructions_with_products": instructions, "sectors": row["sectors"], "sectors_with_products": round(sectors),
        "barriers": row["barriers"],
    }
    if version == "fused":
        figures.update(sectors_least=row["least"], replays_percent=round(row["replays"], 3),
                       barriers_per_step=round(row["steps"], 3), float_per_multiply_add=round(row["floats"], 4),
                       decoder_float_per_multiply_add=row["decoder_floats"] and round(row["decoder_floats"], 4),
                       instructions_per_cell_step=round(row["cell"], 1))
    return figures


def write_json(path, fused, per_step, structures):
    rows = [json_row(row, version) for pair in zip(fused, per_step) for row, version in zip(pair, ("fused", "per step"))]
    rows += [{"kind": "counter of a structure", "workload": row["name"], "title": row["title"], "launches": row["launches"],
              "launches_doubled": row["doubled"], "nodes": row["nodes"], "instructions": row["instructions"],
              "sectors": row["sectors"], "sectors_least": row["least"]} for row in structures]
    commit = said_by("bench/results/commit.sh") if os.path.exists(os.path.join(ROOT, "bench/results/commit.sh")) else said_by(
        "git", "describe", "--always", "--dirty")
    head = {
        "bench": "counters", "machine": "emulated device, compute capability 9.0",
        "versions": {"cuseq": version()}, "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit, "command": "./run bench counters", "rounds": 1, "rows": rows,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(head, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(prog="./run bench counters", description="Counts what a call costs on the emulated device.")
    parser.add_argument("emulate", help=argparse.SUPPRESS)
    parser.add_argument("build", help=argparse.SUPPRESS)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="keep the tables in bench/counters/table.md")
    action.add_argument("--check", action="store_true", help="fail where a call costs more than table.md says")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args()
    if options.check and options.json:
        parser.error("--check counts the fused kernels alone and writes no JSON")
    fused = [measure_fused(options.emulate, options.build, name) for name in WORKLOADS]
    text = table.fused_table(fused)
    print(text, end="")
    structures = [measure_structure(options.emulate, options.build, name) for name in STRUCTURES]
    others = table.STRUCTURES + table.structures_table(structures)
    print(others, end="")
    if options.check:
        return table.check(fused, table.kept()) | table.structures_check(structures, table.structures_kept())
    per_step = [measure_per_step(options.emulate, options.build, name) for name in WORKLOADS]
    comparison = table.COMPARISON + table.comparison_table(fused, per_step)
    print(comparison, end="")
    if options.write:
        table.write(table.HEAD + text + others + comparison)
    if options.json:
        write_json(options.json, fused, per_step, structures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
