"""That machine code is read as it is written, and that machine.py --check fails on what is worse: without a disassembler."""

import sys

import sass
import flow
import loops
import registers
import table
import timing

# A loop of four instructions as nvdisasm prints one: a load from shared memory (30 cycles until scoreboard 0), an addition that
# waits for it and stalls 4, an exponential function (scoreboard 1, 20 cycles), and a branch back that stalls 5.
CONTROLS = ((2, 0, 7, 0), (4, 7, 7, 1), (1, 1, 7, 0), (5, 7, 7, 2))
TEXTS = ("LDS R2, [R4+0x10]", "FADD R3, R2, 1", "MUFU.EX2 R4, R3", "@P0 BRA `(.L_x_1)")


def written(texts, controls):
    lines = [".text._Z6kernelv:\n", ".L_x_1:\n"]
    for at, (text, (stall, sets, frees, waits)) in enumerate(zip(texts, controls)):
        control = stall | sets << 5 | frees << 8 | waits << 11
        lines += ['\t//## File "/build/../kernels/common/a.cuh", line 3 inlined at "/kernels/common/b.cu", line 9\n'
                  f"        /*{at * 16:04x}*/                   {text} ;      /* 0x{at:016x} */\n",
                  f"                                            /* 0x{control << 41:016x} */\n"]
    return "".join(lines).splitlines(keepends=True)


def needs(what, found, wanted):
    if found != wanted:
        print(f"control: {what}: {found} (needed {wanted})")
    return found == wanted


def reads_code():
    """Text to instructions, these to a loop, that to cycles and to a chain."""
    body = sass.loaded(sass.kept(sass.read(written(TEXTS, CONTROLS))))["_Z6kernelv"]
    way = flow.Flow(body)
    path = way.turn(0, loops.heavy)
    load, add, power, branch = body
    return all([
        needs("controls", [(i.stall, i.sets, i.frees, i.waits) for i in body], list(CONTROLS)),
        needs("places", body[0].places, (("common/a.cuh", 3),)),
        needs("the branch's target", branch.target, 0),
        needs("loops", way.loops, {0: {0}}),
        needs("the way", [(i.kind, jumps) for i, jumps in path], [("LDS", False), ("FADD", False), ("MUFU", False), ("BRA", True)]),
        # the addition is issued 30 cycles after the load, the function 4 later, the branch 20 after that; it stalls 5 and jumps
        needs("cycles", timing.cycles(path), 30 + 4 + 20 + 5 + timing.JUMP),
        needs("the chain", timing.chain(path), 30 + timing.FIXED + 20),
        needs("what an addition uses", registers.used(add), ({("R", 2)}, {("R", 3)}, set())),
        needs("what a load uses", registers.used(load), ({("R", 4)}, {("R", 2)}, set())),
        needs("what a function uses", registers.used(power)[:2], ({("R", 3)}, {("R", 4)})),
    ])


def one(text):
    return sass.Instruction(0, text, 0, ())


def reads_registers():
    """Results and operands of the forms that instructions have."""
    wanted = {
        "LDS.128 R8, [UR5+0x10]": ({("UR", 5)}, {("R", 8), ("R", 9), ("R", 10), ("R", 11)}, set()),
        "@!P3 STS [R9+UR5], R80": ({("P", 3), ("R", 9), ("UR", 5), ("R", 80)}, set(), set()),
        "ISETP.LE.AND P1, PT, R0, UR5, PT": ({("R", 0), ("UR", 5)}, set(), {("P", 1)}),
        "IADD3 R11, P2, R10, R51, RZ": ({("R", 10), ("R", 51)}, {("R", 11)}, {("P", 2)}),
        "SHFL.BFLY PT, R10, R11, 0x10, 0x1f": ({("R", 11)}, {("R", 10)}, set()),
        "@!P1 FMUL R9, R9, R9": ({("P", 1), ("R", 9)}, {("R", 9)}, set()),
        "LDG.E.128.CONSTANT R4, desc[UR8][R8.64]": (
            {("UR", 8), ("R", 8), ("R", 9)}, {("R", 4), ("R", 5), ("R", 6), ("R", 7)}, set()),
    }
    return all([needs(text, registers.used(one(text)), found) for text, found in wanted.items()])


def counts_classes():
    """What is told apart: generic accesses, divisions, fences, spills, loads by width."""
    found = loops.counts([one(text) for text in (
        "LD.E.128 R4, desc[UR4][R2.64]", "LDG.E R4, desc[UR4][R2.64]", "LDS.64 R4, [R2]", "STL [R1], R4", "I2F.U32.RP R3, R2",
        "MEMBAR.ALL.GPU", "BAR.SYNC.DEFER_BLOCKING 0x0", "FFMA R1, R2, R3, R4")])
    wanted = {"generic": 1, "LD.128": 1, "LDG.32": 1, "LDS.64": 1, "spills": 1, "divisions": 1, "fences": 1, "barriers": 1, "fma": 1,
              "instructions": 8}
    return all([needs(name, found[name], count) for name, count in wanted.items()])


def reads_tables():
    """A branch by a table goes to all of its places, and nowhere else; a call of a label of the kernel's own is a branch."""
    lines = written(('BRX R4 -0x10   (*"BRANCH_TARGETS .L_x_1,.L_x_7"*)', "FADD R3, R2, 1", "EXIT"), CONTROLS[:3])
    at = next(number for number, line in enumerate(lines) if "FADD" in line) - 1
    body = sass.loaded(sass.kept(sass.read([*lines[:at], *lines[at + 3:], ".L_x_7:\n", *lines[at:at + 3]])))["_Z6kernelv"]
    way = flow.Flow(body)
    left = flow.Flow(sass.read(written(("FADD R3, R2, 1", "@!P0 CALL.REL.NOINC `(.L_x_1)", "EXIT"), CONTROLS[:3]))["_Z6kernelv"])
    return all([needs("a table's places", body[0].targets, (0, 2)), needs("what follows it", way.after[0], [0, 2]),
                needs("what follows a call of a label", left.after[0], [1, 0])])


class Roles(loops.Loop):
    """A loop whose lines are told by number."""

    def line(self, root, text=None):
        return {"first": 1, "second": 2}.get(text, 9)


def reads_roles():
    """A loop whose warps go two ways: a turn of each, and the step, which has the longer one between two of the block's barriers.
    A barrier of some warps, and one that is told and not awaited, end nothing."""
    def at(number, text, stall=1, line=0, target=None):
        return sass.Instruction(number, text, stall | 7 << 5 | 7 << 8, (("a.cuh", line),), target)
    body = [at(0, "ISETP.NE.AND P0, PT, R0, R1, PT"), at(1, "@P0 BRA `(.L_x_2)", 5, target=5),
            at(2, "FADD R2, R2, 1", 9, 1), at(3, "BAR.SYNC.DEFER_BLOCKING 0x1, 0x80", 1, 1), at(4, "BRA `(.L_x_3)", 5, target=7),
            at(5, "BAR.ARV 0x1, 0x80", 2, 2), at(6, "FADD R3, R3, 1", 8, 2),
            at(7, "BAR.SYNC.DEFER_BLOCKING 0x0, 0x100"), at(8, "FADD R2, R2, 1", 4), at(9, "BAR.SYNC.DEFER_BLOCKING 0x0, 0x100"),
            at(10, "@P1 BRA `(.L_x_1)", 5, target=0), at(11, "EXIT")]
    way = flow.Flow(body)
    loop = Roles(loops.SMALL_STEP, "a.cuh", "", "", (("one", "first"), ("other", "second")))
    bar, jump = timing.LATENCY["BAR"], timing.JUMP
    ends = bar + 5 + jump + 1 + 5  # from the last barrier to the end of the first branch
    one, other = [ends + 9 + bar + 5 + jump, bar + 4], [ends + jump + 2 + 8, bar + 4]
    made = {title: figures["cycles"] for title, figures in loops.measure_roles([(None, loop, way, 0)], None)}
    return all([
        needs("a role's phases", timing.phases(loops.role_path(loop, way, 0, "first", None)), one),
        needs("another's", timing.phases(loops.role_path(loop, way, 0, "second", None)), other),
        needs("the step of all", made, {loops.SMALL_STEP: sum(one), f"{loops.SMALL_STEP}, one": sum(one),
                                        f"{loops.SMALL_STEP}, other": sum(other)}),
    ])


def rows(before):
    """Rows as machine.py measures them, of the table's own figures."""
    made = []
    for (kernel, architecture, loop), cells in before.items():
        figures = {name: float(cells[name]) for name in table.COLUMNS if name not in ("shared loads", "global loads")
                   and cells[name] != "-"}
        made.append({"kernel": kernel, "architecture": architecture, "loop": loop, "figures": figures, "reach": None,
                     "least": loops.least(loop, kernel)})
    return made


def fails_on_worse():
    """The table passes as it is; each of its rows with one figure 3% worse, or one more, fails, and is named; so do rows that
    are missing or that the table has not, and a product of tensor cores with a fifth more instructions than it takes."""
    before = {key: cells for key, cells in table.kept(table.kept_text()).items() if key[1] == 90}
    good = needs("loops in table.md", len(before) > 20, True) and needs("the table against itself", table.check(rows(before), before), 0)
    for at, key in enumerate(before):
        for name in table.COMPARED:
            made = rows(before)
            if name not in made[at]["figures"]:
                continue
            made[at]["figures"][name] = max(made[at]["figures"][name] * 1.03, made[at]["figures"][name] + 1)
            said = []
            good &= needs(f"{key}: {name} worse", table.check(made, before, said.append), 1)
            good &= needs(f"{key}: lines on {name}", len(said) == 1 and said[0].startswith(key[0] + ","), True)
        if least := rows(before)[at]["least"]:
            made, said = rows(before), []
            made[at]["figures"]["tensor"] = least * 1.2
            good &= needs(f"{key}: more instructions of tensor cores than the product takes", table.check(made, before, said.append), 1)
            good &= needs(f"{key}: lines on them", len(said) == 1 and "tensor" in said[0], True)
        good &= needs(f"{key}: not in the table", table.check(
            rows(before), {other: cells for other, cells in before.items() if other != key}, lambda line: None), 1)
        good &= needs(f"{key}: no longer in the code", table.check(
            [row for number, row in enumerate(rows(before)) if number != at], before, lambda line: None), 1)
    return good


sys.exit(0 if all([reads_code(), reads_registers(), counts_classes(), reads_tables(), reads_roles(), fails_on_worse()]) else 1)
