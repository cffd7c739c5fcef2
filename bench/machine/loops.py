"""The loops that are looked at, and what is counted of each.

A loop is found by a line of the source that is in every turn of it: the innermost one that has an instruction of the given kind made of
that line. Which line, is found by its text, so that other lines may come and go.
"""

import collections
import os
import re

import timing

CLASSES = (
    ("fma", r"FFMA"), ("other float", r"FADD|FMUL|FSEL|FMNMX|FSETP|FCHK|FSWZADD|I2F|F2I|F2F|FRND"), ("function", r"MUFU"),
    ("tensor", r"[HIQ]G?MMA"), ("shared load", r"LDS"), ("shared store", r"STS|STAS"), ("global load", r"LDG|LD\b|LD\.|LDGSTS"),
    ("global store", r"STG|ST\b|ST\.|RED|ATOM"), ("local", r"LDL|STL"), ("shuffle", r"SHFL|VOTE|REDUX|MATCH"),
    ("barrier", r"BAR|UCGABAR|WARPSYNC|DEPBAR|LDGDEPBAR|SYNCS|BSSY|BSYNC|BREAK|MEMBAR|ERRBAR|CCTL|FENCE|YIELD|NANOSLEEP"),
    ("branch", r"BRA|JMP|EXIT|BRX|CALL|RET|KILL"), ("integer", r"."),
)
CLASS = [(name, re.compile(pattern)) for name, pattern in CLASSES]
LOAD = re.compile(r"(LDGSTS|LDG|LDS|LDL|LDC|LD)\b(?! RZ)")
WIDTH = re.compile(r"\.(128|64|U16|S16|U8|S8)\b")
GENERIC = re.compile(r"(LD|ST|ATOM)(\.|$)")
DIVISION = re.compile(r"I2F\..*RP")  # what a division of integers begins with, of 32 bits as of 64
FENCE = re.compile(r"MEMBAR|ERRBAR|CCTL|FENCE")
BARRIER = re.compile(r"BAR|UCGABAR_ARV")

TIME_STEP, DECODER_STEP, GRID_STEP = "time step", "decoder step", "eight rows of a time step"


class Loop:
    """What loops of some kernels are: a title, and a line that is in each turn of them."""

    def __init__(self, title, file, text, kind):
        self.title = title
        self.file = file  # below kernels/
        self.text = text
        self.kind = re.compile(kind)  # what is made of the line that cannot be moved out of the loop

    def line(self, root):
        """The number of the line with the text."""
        with open(os.path.join(root, "kernels", self.file), encoding="utf-8") as file:
            lines = [number for number, line in enumerate(file, 1) if self.text in line]
        if len(lines) != 1:
            raise ValueError(f"kernels/{self.file}: one line with {self.text!r} is needed (found {len(lines)})")
        return lines[0]

    def heads(self, flow, root):
        """First blocks of the loops in a kernel: the innermost around the line. Time steps are those with no loop inside, where there
        are any: the last steps of a row stand behind them. Of others that are inside of one another it is that which has most of
        the line, or the outermost."""
        place = self.file, self.line(root)
        found = collections.Counter()
        for number, (first, last) in enumerate(flow.blocks):
            there = sum(bool(self.kind.match(i.opcode)) and place in i.places for i in flow.body[first:last])
            around = [head for head, blocks in flow.loops.items() if number in blocks]
            if there and around:
                found[min(around, key=lambda head: len(flow.loops[head]))] += there
        if self.title == TIME_STEP:
            return sorted([head for head in found if not flow.inner(head)] or found)
        return sorted(head for head in found if not any(
            (found[other], len(flow.loops[other])) > (found[head], len(flow.loops[head])) and related(flow, head, other)
            for other in found))


def related(flow, head, other):
    return flow.loops[head] <= flow.loops[other] or flow.loops[other] <= flow.loops[head]


# Exponential functions of a step, by the cell that they are inlined into: one for each sigmoid and tanh.
EXPONENTIALS = {"recurrence/cell_lstm.cuh": 5, "recurrence/cell_gru.cuh": 3}


def steps(path):
    """How many time steps a turn is."""
    for file, each in EXPONENTIALS.items():
        found = sum(i.opcode.startswith("MUFU.EX2") and any(place[0] == file for place in i.places) for i, _ in path)
        if found:
            if found % each:
                raise ValueError(f"a turn has {found} exponential functions of {file} (needed {each} a step)")
            return found // each
    return 1


LOOPS = (
    Loop(TIME_STEP, "recurrence/chain.cuh", "state.h = core::cell::update(", r"MUFU"),
    Loop(GRID_STEP, "recurrence/grid_block.cuh", "step(tile, s, sub, next);", r"BAR"),
    Loop(DECODER_STEP, "decoder/decode_row.cuh", "previous = block_decode_step(", r"BAR"),
    Loop(DECODER_STEP, "decoder/loop_row.cuh", "/* states, fed vectors and token are there", r"BAR"),
)

# Cycles of a step to reach, by the words of a kernel's name; on sm_80 and sm_120 within 15%.
REACH = (
    (TIME_STEP, ("warp16", "projected"), 350), (TIME_STEP, ("warp32", "projected"), 440), (TIME_STEP, ("block64", "projected"), 490),
    (TIME_STEP, ("cluster128", "projected"), 620), (TIME_STEP, ("whole", "model", "16"), 330),
    (TIME_STEP, ("whole", "model", "32"), 400), (TIME_STEP, ("whole", "model", "64"), 450), (DECODER_STEP, ("dates",), 1200),
)


def reach(title, kernel, architecture):
    """Cycles to reach, or None."""
    words = re.split(r"[^a-z0-9]+", kernel)
    for of, needed, cycles in REACH:
        if of == title and all(word in words for word in needed):
            return {90: cycles, 80: round(cycles * 1.15), 120: round(cycles * 1.15)}.get(architecture)
    return None


def counts(instructions):
    """What is in a stretch of code, whatever order it runs in."""
    found = collections.Counter()
    for i in instructions:
        found[next(name for name, pattern in CLASS if pattern.match(i.opcode))] += 1
        if load := LOAD.match(i.opcode):
            width = WIDTH.search(i.opcode)
            found[f"{load[1]}.{width[1] if width else 32}"] += 1
        found["spills"] += i.kind in ("LDL", "STL")
        found["generic"] += bool(GENERIC.match(i.opcode))
        found["divisions"] += bool(DIVISION.match(i.opcode))
        found["fences"] += bool(FENCE.match(i.opcode))
        found["barriers"] += bool(BARRIER.match(i.opcode))
        found["instructions"] += 1
    return found


def heavy(i):
    """The way through a branch on an activation is the one that computes it."""
    return i.kind == "MUFU"


def measure(loop, flow, head):
    """The figures of a loop by its code: per step; of one with loops inside, which nobody knows how often they turn, of its whole
    body, and no cycles."""
    whole = flow.instructions(flow.loops[head])
    figures = {"body": len(whole), "inner": len(flow.inner(head))}
    if figures["inner"]:
        figures.update(counts(whole), steps=1)
        return figures
    path = flow.turn(head, heavy)
    found = counts(i for i, _ in path)
    turn = steps(path) if loop.title == TIME_STEP else 1
    figures.update({name: count / turn for name, count in found.items()})
    figures.update(steps=turn, cycles=timing.cycles(path) / turn, chain=timing.chain(path) / turn)
    return figures
