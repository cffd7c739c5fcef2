"""The tables of table.md: written, read again, and compared with what is counted now."""

import os
import re
import sys

from measure import with_products

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table.md")
FLOATS = 1.25  # to reach: floating-point instructions per multiply-add
TENSOR = 1.1  # the same of instructions of tensor cores, over the fewest

HEAD = """# What a call costs, as the emulated device counts it

Made by `./run bench counters --write`, checked by the tests: a change that costs a launch, a sector or a floating-point instruction
more fails there. None of it is a time. W1 is batch 5, T 30, F 37, H 16 with dense input; W2 the dates model on ids, all ten steps; W3
batch 32, T 20, F 128, H 128, W4 batch 64, T 4, F 512, H 512, the encoder and the keys of the attention. Compute capability 9.0.

- A launch is a launch call of the host: a graph or a cuBLAS call is one. Kernel nodes are what ran.
- Sectors are 32 bytes of global memory, read, written or changed. Least possible: weights once per block (or cluster, or group of
  blocks) that holds them - a block for each row in W1 and W2, a cluster for each row and direction in W3, a group for half of
  the rows of each direction in W4 -, of ids at most the rows of W that T positions can name; inputs and outputs once; the annotations written once, and
  read once where the keys are a launch of their own; xW read once where cuBLAS makes it (cuBLAS's own traffic is on neither
  side); in W4 h of a group's rows once per block and step.
- Replays are further passes of shared-memory requests, of all requests of the call.
- Barriers per time step are a warp's, on the recurrence's source lines, from the difference between T and 2 T; W4: flag barriers. What a cluster's blocks send
  one another arrives at an mbarrier, whose phases are no barriers here: W3's are those that each step waits for.
- Floating-point instructions are those of all threads on the recurrence's source lines (kernels/recurrence: cores, chain, sequence, grid, the cells; activation functions excluded, and what loads and stores shared memory by its address,
  which decoders do with the same lines), over the multiply-adds of the mapping: h U with its units padded, and x W where it is made in the same kernel. W4: the multiply-adds of
  tensor cores' instructions, of which float32 needs three for one, over three times those of the mapping (to reach: 1.1). Instructions
  of a cell step are those of all classes and threads on the same lines, over the steps of all rows and both directions.
- In the decoder's loop: the same figure on the lines of the decoder and of the attention's step, over the multiply-adds of cell, output layer
  and attention (without K_a a); sums over parts and the softmax's reductions are in it.

"""

STRUCTURES = """
## Models of other structures

The dates model with GRUs in place of its LSTMs is one launch; W5 and W9 are run by stages, the decoder as a graph (V 3000 and S 200 are more
than one launch takes). Least possible as above, W5's x W without what cuBLAS moves: of a step it is the weights and the sums of each product once, keys and
annotations once, bias and logits once. A GRU's weights are packed as four sums a unit, a quarter of them zeros, and counted so. A graph's kernels hand
vectors to one another through memory, the output's kernel writes what the next ones read, and every 32 columns of a product read its row again,
four times where it is a single one: that is where W5 and W9 are above it.

"""

COMPARISON = """
## Beside one launch per step

The same models, weights and inputs by [bench/gpu/per_step.c](../gpu/per_step.c), which does as most code does: a cuBLAS product and a pointwise
kernel for each time step and direction, x W by one product ahead, and for each step of the decoder concat, product, activation, softmax,
context, cell and output layer. Both were checked against the float64 reference in the run that was counted. W3 and W4: the per-step version
makes no keys. What cuBLAS executes is not counted by the device: "with products" adds the least that it can be, one instruction for each multiply-add and
every operand read and result written once per product. Barriers are arrivals of warps; between its nodes the per-step version
also waits for the whole device. Captured as a CUDA graph it is one launch of the same nodes.

"""


def verdict(row):
    reach = row["reach"]
    missed = [what for what, is_reached in (
        ("launches", row["launches"] <= reach["launches"]),
        ("sectors", row["ratio"] <= reach["sectors"]),
        ("replays", row["replays"] <= reach["replays"] + 0.005),
        ("barriers", row["steps"] <= reach["barriers"] + 0.05),
        ("floating point", row["floats"] <= (TENSOR if row["title"].startswith("W4") else FLOATS)),
        ("floating point is not counted", row["floats"] >= 0.5), # fewer than multiply-adds: source lines are not found
        ("grows with T", row["doubled"] == row["launches"]),
    ) if not is_reached]
    return "reached" if not missed else "missed: " + ", ".join(missed)


def line_of(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def headed(*heads):
    return line_of(heads) + line_of(["---"] * len(heads))


def fused_table(rows):
    text = headed(
        "workload", "launches per call (to reach)", "kernel nodes", "launches at 2 T", "global sectors", "least possible",
        "ratio (to reach)", "shared replays, % (to reach)", "barriers per time step (to reach)",
        f"floating-point instructions per multiply-add ({FLOATS})", "instructions of a cell step", "floating point in the decoder's loop", "")
    for row in rows:
        reach = row["reach"]
        text += line_of([
            row["title"], f"{row['launches']} ({reach['launches']})", row["nodes"], row["doubled"], row["sectors"], row["least"],
            f"{row['ratio']:.2f} ({reach['sectors']})", f"{row['replays']:.2f} ({reach['replays']})",
            f"{row['steps']:.2f} ({reach['barriers']})", f"{row['floats']:.3f}", f"{row['cell']:.0f}",
            f"{row['decoder_floats']:.3f}" if row["decoder_floats"] else "-", verdict(row)])
    return text


def structures_missed(row):
    reach = row["reach"]
    return [what for what, is_reached in (
        ("launches", row["launches"] <= reach["launches"]),
        ("sectors", row["ratio"] <= reach["sectors"]),
        ("grows with T", row["doubled"] == row["launches"]),
    ) if not is_reached]


def structures_table(rows):
    text = headed("structure", "launches per call (to reach)", "kernel nodes", "launches at 2 T", "global sectors", "least possible",
                  "ratio (to reach)", "thread instructions", "")
    for row in rows:
        reach, missed = row["reach"], structures_missed(row)
        text += line_of([
            row["title"], f"{row['launches']} ({reach['launches']})", row["nodes"], row["doubled"], row["sectors"], row["least"],
            f"{row['ratio']:.2f} ({reach['sectors']})", row["instructions"],
            "missed: " + ", ".join(missed) if missed else "reached"])
    return text


def comparison_table(fused_rows, per_step_rows):
    text = headed("workload", "version", "launches per call", "launches at 2 T", "kernel nodes", "thread instructions", "with products",
                  "global sectors", "with products", "barriers")
    for fused, per_step in zip(fused_rows, per_step_rows):
        figures = []
        for version, row in (("fused", fused), ("per step", per_step)):
            instructions, sectors = with_products(row)
            own = [row["launches"], row["doubled"], row["nodes"], row["instructions"], instructions, row["sectors"],
                   round(sectors), row["barriers"]]
            figures.append(own)
            text += line_of([row["title"], version, *own])
        ratios = [f"{theirs / ours:.2f}" if ours else "-" for ours, theirs in zip(*figures)]
        text += line_of([fused["title"], "per step / fused", *ratios])
    return text


def kept():
    """Title -> launches, sectors, floating-point instructions per multiply-add, of table.md."""
    found = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 12 and re.match(r"\d+ \(", cells[2]):
                found[cells[1]] = int(cells[2].split()[0]), int(cells[5]), float(cells[10])
    return found


def structures_kept():
    """Title -> launches, sectors, thread instructions, what is missed, of table.md."""
    found = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 11 and re.match(r"\d+ \(", cells[2]):
                found[cells[1]] = int(cells[2].split()[0]), int(cells[5]), int(cells[8]), cells[9]
    return found


def structures_check(rows, before):
    """What is worse now than before, or missed and was not: a line each on stderr, and 1."""
    failed = False
    for row in rows:
        if row["title"] not in before:
            print(f"{row['title']}: not in table.md", file=sys.stderr)
            failed = True
            continue
        launches, sectors, instructions, verdict_before = before[row["title"]]
        missed = [what for what in structures_missed(row) if what not in verdict_before]
        now = row["launches"], row["sectors"], row["instructions"]
        worse = [f"{what}: {is_now}, and table.md has {was}" for what, is_now, was in zip(
            ("launches", "sectors", "thread instructions"), now, (launches, sectors, instructions)) if is_now > was]
        for text in worse + [f"missed: {what}" for what in missed]:
            print(f"{row['title']}: {text}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


def write(text):
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(text)


def check(rows, before):
    """What is worse now than before, or misses what is to be reached: a line each on stderr, and 1."""
    failed = False
    for row in rows:
        if row["title"] not in before:
            print(f"{row['title']}: not in table.md", file=sys.stderr)
            failed = True
            continue
        if verdict(row) != "reached":
            print(f"{row['title']}: {verdict(row)}", file=sys.stderr)
            failed = True
        now = row["launches"], row["sectors"], round(row["floats"], 3)
        for what, is_now, was in zip(("launches", "sectors", "floating-point instructions"), now, before[row["title"]]):
            if is_now > was:
                print(f"{row['title']}: {what}: {is_now}, and table.md has {was}", file=sys.stderr)
                failed = True
            elif is_now < was:
                print(f"{row['title']}: {what}: {is_now} now, fewer than table.md's {was}: --write keeps them")
    return 1 if failed else 0
