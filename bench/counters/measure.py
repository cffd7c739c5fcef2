"""Runs bench_counters on the emulated device and takes what a call costs from the device's counts.

Counts of a call are those of a run with one call less those of a run with none; per time step they are the difference
between T and 2 T positions, over T. Everything is at compute capability 9.0.
"""

import json
import os
import re
import subprocess
import tempfile

from workloads import STRUCTURES, WORKLOADS, product_multiply_adds, product_sectors

RECURRENCE = re.compile(r"/(recurrence/(cores|chain|sequence|grid_[a-z]+|cell_[a-z]+)|common/tensor)\.cuh$")
DECODER = re.compile(r"(decod[a-z_0-9]*|small_[a-z]+|attention_step|block_dense)\.cuh?$")
TENSOR = 64  # multiply-adds of a thread in an instruction of tensor cores, of 16 x 8 x 16 a warp
PRODUCTS = 3  # of float16 for one of float32
TEAM = 4  # warps that meet the others' by flags


def run(emulate, build, program, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "counters.json")
        environment = dict(os.environ, CUSEQ_EMULATOR_COUNTERS=path, CUSEQ_EMULATOR_SM="90")
        program = os.path.join(build, "bench", program)
        subprocess.run([emulate, build, program, *(str(argument) for argument in arguments)], env=environment, check=True)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def total(launches, *names):
    return sum(launch.get("counters", {}).get(name, 0) for launch in launches for name in names)


def instructions(counters):
    return sum(counters["thread_instructions"].values())


def host_launches(counts):
    run = counts["run"]
    return run["launches"] - run["graph_nodes"] + run["graph_launches"]


def lines_of(kernel, files):
    return [line["counters"] for line in kernel.get("lines", []) if files.search(line["file"])]


def float_instructions(counts, files):
    return sum(line["thread_instructions"]["float"] for kernel in counts["kernels"] for line in lines_of(kernel, files))


def multiply_add_instructions(counts):
    """Floating-point instructions of the recurrence; where tensor cores multiply, the multiply-adds of theirs, of which float32 needs
    three for one."""
    tensor = sum(line["thread_instructions"]["tensor"] for kernel in counts["kernels"] for line in lines_of(kernel, RECURRENCE))
    return tensor * TENSOR / PRODUCTS if tensor else float_instructions(counts, RECURRENCE)


def arrivals(counts):
    """Barriers of the recurrences' source lines, a warp's; a cluster's barrier is an arrival and a wait. Flag barriers are
    the atomics of a team of warps."""
    found = 0.0
    for kernel in counts["kernels"]:
        launches = [one for one in counts["launches"] if one["kernel"] == kernel["kernel"] and "grid" in one]
        if not launches:
            continue
        shape = launches[0]
        blocks, warps = kernel["counters"]["blocks"], (shape["block"][0] * shape["block"][1] + 31) // 32
        if shape["cooperative"]:
            found += kernel["counters"]["global_atomic_requests"] / (blocks * warps / TEAM)
            continue
        count = sum(line["barriers"] for line in lines_of(kernel, RECURRENCE)) / (blocks * warps)
        found += count / 2 if shape["cluster"][0] > 1 else count
    return found


def sum_of(launches):
    return {
        "instructions": sum(instructions(launch["counters"]) for launch in launches if "counters" in launch),
        "sectors": total(launches, "global_load_sectors", "global_store_sectors", "global_atomic_sectors"),
        "barriers": total(launches, "barriers"),
    }


def measure_fused(emulate, build, name):
    w = WORKLOADS[name]
    none, once, twice = (run(emulate, build, "bench_counters", "fused", name, c, t) for c, t in ((0, w.T), (1, w.T), (1, 2 * w.T)))
    launches = once["launches"][len(none["launches"]):]
    shared = total(launches, "shared_load_requests", "shared_store_requests", "shared_atomic_requests")
    lines = [line for kernel in once["kernels"] for line in lines_of(kernel, RECURRENCE)]
    sums = sum_of(launches)
    least = w.least(w.T, launches)
    return {
        "name": name,
        "title": w.title,
        "launches": host_launches(once) - host_launches(none),
        "doubled": host_launches(twice) - host_launches(none),
        "nodes": len(launches),
        "least": round(least),
        "ratio": sums["sectors"] / least,
        "replays": 100.0 * total(launches, "shared_replays") / shared if shared else 0.0,
        "steps": (arrivals(twice) - arrivals(once)) / w.T,
        "floats": multiply_add_instructions(once) / w.multiply_adds(),
        "decoder_floats": float_instructions(once, DECODER) / w.decoder_multiply_adds() if w.S else None,
        "cell": sum(instructions(line) for line in lines) / w.cell_steps(),
        "products": w.fused_products(),
        "reach": w.reach,
        **sums,
    }


def measure_per_step(emulate, build, name):
    w = WORKLOADS[name]
    none, once, twice = (run(emulate, build, "bench_counters", "per-step", name, c, t) for c, t in ((0, w.T), (1, w.T), (1, 2 * w.T)))
    launches = once["launches"][len(none["launches"]):]
    return {
        "name": name,
        "title": w.title,
        "launches": host_launches(once) - host_launches(none),
        "doubled": host_launches(twice) - host_launches(none),
        "nodes": len(launches),
        "products": w.per_step_products(),
        **sum_of(launches),
    }


def measure_structure(emulate, build, name):
    w = STRUCTURES[name]
    run(emulate, build, "bench_structures", name, "verify")
    none, once, twice = (run(emulate, build, "bench_structures", name, c, t) for c, t in ((0, w.T), (1, w.T), (1, 2 * w.T)))
    launches = once["launches"][len(none["launches"]):]
    sums = sum_of(launches)
    return {
        "name": name,
        "title": w.title,
        "launches": host_launches(once) - host_launches(none),
        "doubled": host_launches(twice) - host_launches(none),
        "nodes": len(launches),
        "least": round(w.least()),
        "ratio": sums["sectors"] / w.least(),
        "reach": w.reach,
        **sums,
    }


def with_products(row):
    """A row's thread instructions and sectors with the least that its products by cuBLAS cost."""
    return row["instructions"] + product_multiply_adds(row["products"]), row["sectors"] + product_sectors(row["products"])
