"""The tables of table.md: written, read again, and compared with what the code is now."""

import collections
import os
import re
import sys

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table.md")
SLACK = 1.02  # what is dearer by more than this fails
TENSOR_SLACK = 1.1  # so do instructions of tensor cores beyond this times the fewest

HEAD = """# What the kernels' machine code is

Made by `./run bench machine --write`, checked by the tests: what costs 2% more than here fails there. {compiler}; another compiler
makes other code, and then nothing is compared.

**Nothing here is a time.** It is read from the code that the compiler made, by NVIDIA's disassembler. *Cycles* are an estimate: one warp
alone in front of a scheduler that issues its instructions in order as the code's own control words say, with the literature's latencies
(timing.py), no cache misses, no bank conflicts, no other warps. They are for comparing two versions of a loop, and for finding what a
step waits for. *Chain* is the longest path from step to step through what instructions need of one another, were each issued as soon as
that is there, with the same latencies: no order of these instructions has fewer cycles.

"""

LOOPS = """## Loops

A step of each recurrence and decoder: its way through sigmoid and tanh, every other branch straight on; per step, where a turn is several.
A recurrence has two loops, one of sigmoid and tanh alone; the other, for any activations, branches on them. A kernel with several
recurrences has both for each: the titles name the cell and what holds U (kernels/recurrence/cores.cuh).
A small decoder's step (kernels/decoder/decode_small.cuh) is one of warps with different roles, each with its way through the loop: up to 32
positions, no token fed back. Its cycles are the longest role's between any two barriers of the block, its instructions those of the
warps that attend; barriers that only some warps await are counted where they are. A line for each role follows.
A loop with loops inside, which turn as often as the model says, has no cycles here, and its instructions are those of its whole body.
Loads are by width in bits. Integer: all that is no other class, moves and predicates too. Generic: loads and stores whose space the
compiler did not know. Fences: MEMBAR, ERRBAR, CCTL. In brackets: cycles to reach. Tensor: instructions of tensor cores, and in brackets the
fewest that the product takes; more than 1.1 times as many fail.

sequence_tensor_kernel<cell, kind, unit tiles of eight, rows / 8 of a team> (kinds: 0 float32 as tf32, 1 tf32, 2 bf16, 3 float32 as
float16, which cells with tanh have) has a step of H 512, all of U in shared memory: with
2, 2 a step of W4's, for which two warps share each scheduler, one of each team, and take turns in these cycles: the step of both. An instruction of tensor cores takes a core
for 4 cycles on sm_90, 8 on sm_80, which is what NVIDIA says of their peak; others measured some 6.4 on an H100. What SMs wait for one another, and what L2 and DRAM take
beyond the latencies, is not in it.

product_kernel<kind, whether B is transposed> has the products of decoders' layers, keys and outputs: a turn of a warp, 16 k of 32 rows and 32 columns, all there and read by 16 bytes. Two warps
share each scheduler, and the cycles are those of both. What they have added up goes into registers of its own every eighth turn, which is not in it.

"""

KERNELS = """
## Kernels

Instructions of each kernel as a whole, and of these: local (spills and what is indexed), generic, divisions of integers, fences.

"""

COLUMNS = ("cycles", "chain", "instructions", "fma", "tensor", "other float", "function", "integer", "branch", "shared loads", "global loads",
           "stores", "shuffle", "barriers", "fences", "generic", "divisions", "spills")
COMPARED = ("cycles", "instructions", "barriers", "fences", "generic", "divisions", "spills")


def number(value):
    return f"{round(value, 1):g}"


def loads(figures, kinds):
    """The loads of some kinds by width: "8x128 1x32"."""
    found = collections.Counter()
    for kind in kinds:
        for name, count in figures.items():
            if name.startswith(kind + "."):
                found[name.partition(".")[2]] += count
    ordered = sorted(found.items(), key=lambda one: -int(re.sub(r"\D", "", one[0])))
    return " ".join(f"{number(count)}x{width}" for width, count in ordered) or "0"


def cells(figures):
    """The columns of a loop, as texts."""
    made = {name: number(figures.get(name, 0)) for name in COLUMNS}
    made["shared loads"] = loads(figures, ("LDS",))
    made["global loads"] = loads(figures, ("LDG", "LDGSTS", "LD"))
    made["stores"] = number(figures.get("shared store", 0) + figures.get("global store", 0))
    for name in ("cycles", "chain"):
        made[name] = f"{figures[name]:.0f}" if name in figures else "-"
    return made


def line_of(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def headed(*heads):
    return line_of(heads) + line_of(["---"] * len(heads))


def loops_table(rows):
    text = headed("kernel", "sm", "loop", *COLUMNS)
    for row in rows:
        made = cells(row["figures"])
        if row["reach"] and "cycles" in row["figures"]:
            made["cycles"] += f" ({row['reach']})"
        if row["least"]:
            made["tensor"] += f" ({row['least']})"
        text += line_of([row["kernel"], row["architecture"], row["loop"], *(made[name] for name in COLUMNS)])
    return text


# The loops of a call of the dates, batch 1 (W2): a loop's title, its turns, and what they are; and the clock by which cycles are told as a
# time.
CALL = "whole_model_kernel", (("time step, warp32", 30, "time steps (warp32)"), ("small decoder step", 10, "small decoder steps"))
CLOCK = 1755  # cycles in a microsecond


def call_lines(rows):
    """What the loops of a call cost, for every architecture that has their cycles."""
    kernel, turns = CALL
    cycles = {(row["architecture"], row["loop"]): row["figures"].get("cycles") for row in rows if row["kernel"] == kernel}
    made = []
    for architecture in sorted({one for one, _ in cycles}):
        each = [cycles.get((architecture, loop)) for loop, _, _ in turns]
        if all(each):
            total = sum(one * count for one, (_, count, _) in zip(each, turns))
            made.append(f"sm_{architecture} {total:.0f} ({total / CLOCK:.1f})")
    text = " and ".join(f"{count} {what}" for _, count, what in turns)
    return (f"\nThe loops of a call of the dates, batch 1 - {text} of {kernel} -, in cycles (microseconds at {CLOCK} MHz), without\n"
            f"what stands before, between and behind them: {', '.join(made)}.\n")


def kernels_table(kernels):
    """{name: {architecture: counts}} as a table of a column for each architecture."""
    architectures = sorted({one for found in kernels.values() for one in found})
    text = headed("kernel", *(f"sm_{one}: all, local, generic, divisions, fences" for one in architectures))
    for name in sorted(kernels):
        found = kernels[name]
        text += line_of([name] + [
            ", ".join(number(found[one].get(what, 0)) for what in ("instructions", "spills", "generic", "divisions", "fences"))
            if one in found else "-" for one in architectures])
    return text


def write(compiler, rows, kernels):
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(HEAD.format(compiler=compiler) + LOOPS + loops_table(rows) + call_lines(rows) + KERNELS + kernels_table(kernels))


def kept_text():
    with open(TABLE, encoding="utf-8") as file:
        return file.read()


def kept(text):
    """{(kernel, architecture, loop): {column: text}} of a table's text."""
    found, names = {}, None
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if row[:3] == ["kernel", "sm", "loop"]:
            names = row[3:]
        elif names and len(row) == len(names) + 3 and row[1].isdigit():
            found[row[0], int(row[1]), row[2]] = dict(zip(names, (re.sub(r" \(.*", "", cell) for cell in row[3:])))
    return found


def worse(name, now, before):
    """Whether a figure is worse than the table's by more than is let through. What was 0 stays so."""
    if (now == "-") != (before == "-"):
        return now == "-"
    return now != "-" and float(now) > float(before) * SLACK + 0.05


def check(rows, before, say=lambda line: print(line, file=sys.stderr)):
    """1 where a loop costs more than the table says, or the table has other loops, with a line for each; else 0."""
    failed = False
    architectures = {row["architecture"] for row in rows}
    missing = {key for key in before if key[1] in architectures}
    for row in rows:
        key = row["kernel"], row["architecture"], row["loop"]
        title = f"{row['kernel']}, sm_{row['architecture']}, {row['loop']}"
        missing.discard(key)
        if key not in before:
            say(f"{title}: not in table.md (./run bench machine --write makes it anew)")
            failed = True
            continue
        made = cells(row["figures"])
        if row["least"] and row["figures"]["tensor"] > row["least"] * TENSOR_SLACK:
            say(f"{title}: tensor: {made['tensor']}, and the product takes {row['least']}")
            failed = True
        for name in COMPARED:
            if worse(name, made[name], before[key][name]):
                say(f"{title}: {name}: {made[name]}, and table.md has {before[key][name]}")
                failed = True
            elif worse(name, before[key][name], made[name]):
                say(f"{title}: {name}: {made[name]} now, better than table.md's {before[key][name]}: --write keeps it")
    for kernel, architecture, loop in sorted(missing):
        say(f"{kernel}, sm_{architecture}, {loop}: in table.md, and no longer there (--write makes it anew)")
        failed = True
    return 1 if failed else 0
