"""The loops that are looked at, and what is counted of each.

A loop is found by a line of the source that is in every turn of it: the innermost one that has an instruction of the given kind made of
that line. Which line, is found by its text, so that other lines may come and go.
"""

import collections
import functools
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
SMALL_STEP = "small decoder step"
TENSOR_STEP = "time step of H 512"  # of as many rows as the kernel takes at once
TENSOR_TURNS = 2  # of its loop over k: 512 in four quarters, 64 a turn
PRODUCT_TURN = "16 k of 32 rows"


@functools.lru_cache(maxsize=None)
def line_of(root, name, text):
    """The number of the one line of a file of kernels/ that has the text."""
    with open(os.path.join(root, "kernels", name), encoding="utf-8") as file:
        lines = [number for number, line in enumerate(file, 1) if text in line]
    if len(lines) != 1:
        raise ValueError(f"kernels/{name}: one line with {text!r} is needed (found {len(lines)})")
    return lines[0]


class Loop:
    """What loops of some kernels are: a title, and a line that is in each turn of them."""

    def __init__(self, title, file, text, kind, roles=()):
        self.title = title
        self.file = file  # below kernels/
        self.text = text
        self.kind = re.compile(kind)  # what is made of the line that cannot be moved out of the loop
        self.roles = roles  # warps that go different ways through a loop: (what they do, a line that only they come by)

    def line(self, root, text=None):
        """The number of the line with the text."""
        return line_of(root, self.file, text or self.text)

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


# What tells the time steps of a kernel apart that has several: the activations it is for, the cell, and what holds U. A word of each
# group, with what only such a loop is made of: a line of a file, or any.
VARIANTS = (
    (("lstm", "recurrence/cell_lstm.cuh", None), ("gru", "recurrence/cell_gru.cuh", None)),
    (("warp16", "recurrence/cores.cuh", "even0 = fmaf(v.x, u[k][0], even0);"),
     ("warp32", "recurrence/cores.cuh", "sums_multiply32<Cell>(z, h, 0, u);"),
     ("block64", "recurrence/cores.cuh", "sums_multiply32<Cell>(part, h, half * 36, u);")),
    (("any activations", "recurrence/encoder_row.cuh", "chain_steps_shared(p.gates, "),
     ("any activations", "recurrence/chain.cuh", "chain_all<core, SOURCE>(p.gates, ")),
)


def variant(flow, head, root):
    """The words that VARIANTS has for a loop."""
    places = {place for i in flow.instructions(flow.loops[head]) for place in i.places}
    files = {file for file, _ in places}
    words = []
    for group in VARIANTS:
        found = {word for word, file, text in group
                 if (file in files if text is None else (file, line_of(root, file, text)) in places)}
        if len(found) > 1:
            raise ValueError(f"a time step is made of more than one of {', '.join(sorted(found))}")
        words += found
    return words


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


SMALL = "decoder/decode_small.cuh"
LOOPS = (
    Loop(TIME_STEP, "recurrence/chain.cuh", "state.h = core::cell::update(", r"MUFU"),
    Loop(GRID_STEP, "recurrence/grid_block.cuh", "step(tile, s, sub, next);", r"BAR"),
    Loop(TENSOR_STEP, "recurrence/grid_tensor.cuh", "step(cells, s, count, counter, ++round);", r"BAR"),
    Loop(PRODUCT_TURN, "common/product.cu", "multiply<KIND>(large, small, now);", r"HMMA"),
    Loop(DECODER_STEP, "decoder/decode_row.cuh", "previous = block_decode_step(", r"BAR"),
    Loop(DECODER_STEP, "decoder/loop_row.cuh", "/* states, fed vectors and token are there", r"BAR"),
    Loop(SMALL_STEP, SMALL, "small_attend(row, score, attention->key, attention->mask, query, 0);", r"MUFU",
         (("attends", "small_attend(row, score, attention->key, attention->mask, query, 0);"),)),
    Loop(SMALL_STEP, SMALL, "z = small_carry_on(d, row, *writer, fault, step, y, part);", r"FFMA", (
        ("chooses", "small_choose(row, writer);"), ("raises outputs", "small_raise_outputs(d, writer, fault, step - 1, y - 2);"),
        ("sums outputs", "small_sum_outputs(writer);"), ("writes outputs", "small_write_outputs(d, writer, y - 4);"))),
)

# Lines of the small decoder's step that a call of the dates does not come by: tokens that are fed back, their end, and more than 128
# positions.
RARE = ("int token = __float_as_int(", "z += __ldg(", "small_write_more(")

# Cycles of a step to reach, by the words of a kernel's name; on sm_80 and sm_120 within 15%.
REACH = (
    (TIME_STEP, ("warp16", "projected"), 350), (TIME_STEP, ("warp32", "projected"), 440), (TIME_STEP, ("block64", "projected"), 490),
    (TIME_STEP, ("cluster128", "projected"), 620), (f"{TIME_STEP}, warp16", ("whole", "model"), 330),
    (f"{TIME_STEP}, warp32", ("whole", "model"), 400), (f"{TIME_STEP}, block64", ("whole", "model"), 450),
    (SMALL_STEP, ("whole", "model"), 1200),
)


# The same of the LSTM's kernel across SMs for many rows, by what h and U are to its products; on sm_90.
REACH_TENSOR = {"(tensor_kind)3, 2, 2": 4500, "(tensor_kind)2, 2, 2": 2000}


def reach(title, kernel, architecture):
    """Cycles to reach, or None."""
    for words, cycles in REACH_TENSOR.items():
        if title == TENSOR_STEP and "cell_lstm" in kernel and words in kernel:
            return cycles if architecture == 90 else None
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


def role_path(loop, flow, head, text, root):
    """A turn of the warps that come by a line, and not by those of other roles: up to 32 positions, none of the rare lines."""
    wanted = (loop.file, loop.line(root, text))
    rare = {(loop.file, loop.line(root, one)) for one in (*RARE, *(other for _, other in loop.roles if other != text))}
    inside = {id(i) for one in flow.inner(head) for i in flow.instructions(flow.loops[one])}

    def worth(i):
        return heavy(i) + 100 * (wanted in i.places) - 1000 * (id(i) in inside or not rare.isdisjoint(i.places))
    return flow.turn(head, worth)


def measure_roles(found, root):
    """(title, figures) of a step whose warps have different roles, of its loops (title, loop, flow, first block): by each role, and
    of the step as a whole, which has the longest role between two barriers of the block, and the instructions of the first."""
    rows = []
    for _, loop, flow, head in found:
        for name, text in loop.roles:
            path = role_path(loop, flow, head, text, root)
            rows.append((name, counts(i for i, _ in path), timing.phases(path)))
    if not rows:
        return []
    if len({len(phases) for _, _, phases in rows}) != 1:
        raise ValueError("the roles of a step have different numbers of barriers")
    made = [(f"{SMALL_STEP}, {name}", dict(figures, cycles=sum(phases))) for name, figures, phases in rows]
    longest = [max(one) for one in zip(*(phases for _, _, phases in rows))]
    return [(SMALL_STEP, dict(rows[0][1], cycles=sum(longest))), *made]


def tensor_heavy(i):
    """The way of most rows, none of which ends, of x W that is there and flags that stand at the first look, and through the
    functions."""
    ends = any(file == "common/check.cuh" for file, _ in i.places)
    return 100 * (i.kind in ("MUFU", "HMMA")) - (i.opcode.startswith("LDG") and ".128" not in i.opcode) - (i.kind == "LDS") - 9 * ends


def tensor_turns(flow):
    """How often the loops inside of a step of H 512 turn, by their first block: the products' whose U lies in shared memory, those of what
    is left over never, and all others once."""
    def often(head):
        body = flow.instructions(flow.loops[head])
        if flow.inner(head) or not any(i.kind == "HMMA" for i in body):
            return 1
        return 0 if any(i.opcode.startswith("LDG") and "CONSTANT" in i.opcode for i in body) else TENSOR_TURNS
    return often


def warps_together(kernel):
    """Warps of a scheduler: of two teams, or of one."""
    return 2 if re.search(r", 2, 2>", kernel) else 1


def measure_tensor(flow, head, kernel, architecture):
    """The figures of a step of the tensor kernel: the whole of it, with the warps of a scheduler."""
    path = flow.turn(head, tensor_heavy, tensor_turns(flow))
    figures = {"body": len(path), "inner": 0, "steps": 1, **counts(i for i, _ in path)}
    figures["cycles"] = timing.cycles_together(path, warps_together(kernel), architecture)
    figures["chain"] = timing.chain(path)
    return figures


# Products of tensor cores for each pair of factors, and instructions for 16 k of 16 by 8, by what the factors are to them.
KINDS = {0: (3, 2), 1: (1, 2), 2: (1, 1), 3: (3, 1)}


def kind_of(kernel):
    """(name, kind, the numbers behind it) of a kernel of tensor cores."""
    found = re.search(r"<(?:(\w+), )?\(tensor_kind\)(\d)((?:, \w+)*)>", kernel)
    return found[1], int(found[2]), [int(number) for number in re.findall(r"\d+", found[3])]


def least(title, kernel):
    """The fewest instructions of tensor cores that the product of such a loop takes, of a warp; None where it has none."""
    if title not in (TENSOR_STEP, PRODUCT_TURN):
        return None
    cell, kind, numbers = kind_of(kernel)
    products, instructions = KINDS[kind]
    if title == PRODUCT_TURN:
        return products * instructions * (32 // 16) * (32 // 8)
    slots, eights = numbers
    sums = (4 if cell == "cell_lstm" else 3) * 8 * slots  # an odd number of eights fills no sixteen
    return products * instructions * -(-sums // 16) * eights * (512 // 4 // 16)


def measure_product(flow, head, root, architecture):
    """The figures of a turn of the product's loop: 16 k of a warp where all rows and columns are there, by wide loads; what it has added
    up is handed over every eighth turn, which is not in it. Two warps share a scheduler."""
    kept = {("common/product.cu", line_of(root, "common/product.cu", "total.of[tile][n][j % 4] += KIND"))}

    def worth(i):
        wide = i.kind == "LDG" and (10 if ".128" in i.opcode else -1)
        return 100 * (i.kind == "HMMA") + wide - (not kept.isdisjoint(i.places))
    path = flow.turn(head, worth)
    figures = {"body": len(path), "inner": 0, "steps": 1, **counts(i for i, _ in path)}
    figures.update(cycles=timing.cycles_together(path, 2, architecture), chain=timing.chain(path))
    return figures


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
