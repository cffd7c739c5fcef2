"""What the kernels' machine code costs a step, read with NVIDIA's disassembler: an estimate from code, not a time.

  machine.py BUILD                    prints the loops of every architecture of the build
  machine.py BUILD --write            and keeps them, with a line for each kernel, in table.md beside this file
  machine.py BUILD --check            sm_90 alone; fails where a step costs more than table.md says
  machine.py BUILD --show KERNEL      prints a step of the loops of the kernels with that in their name, instruction by instruction

BUILD is a build folder with kernels/*.o in it; --tools are folders where cuobjdump and nvdisasm may be.
"""

import argparse
import collections
import glob
import os
import sys

import disassembly
import flow
import loops
import table
import timing

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CHECKED = (90,)
ALL = (75, 80, 90, 100, 120)  # of table.md
SKIPPED = 77


def objects(build):
    """The objects of the kernels, whose sources are still there."""
    found = {os.path.splitext(os.path.basename(path))[0] for path in glob.glob(os.path.join(ROOT, "kernels", "*", "*.cu"))}
    paths = [os.path.join(build, "kernels", name + ".o") for name in sorted(found)]
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise disassembly.Missing(f"{missing[0]} is not there: the kernels are not built (they need nvcc)")
    return paths


def kernels(tools, build, architectures):
    """(name, architecture, body) of every kernel."""
    kept = os.path.join(build, "bench", "machine")
    for path in objects(build):
        for architecture in architectures:
            found = tools.read(path, architecture, kept)
            names = disassembly.names(list(found))
            for mangled, body in sorted(found.items()):
                yield names[mangled], architecture, body


def loops_of(body):
    """(title, loop, its flow, first block) of the loops of a kernel. Time steps have the words that tell them apart in their title; those
    of one title are numbered."""
    found, way = [], flow.Flow(body)
    for loop in loops.LOOPS:
        heads = loop.heads(way, ROOT)
        words = [loops.variant(way, head, ROOT) if loop.title == loops.TIME_STEP else [] for head in heads]
        same = set(words[0]).intersection(*words) if words else ()
        number = collections.Counter()
        for head, own in zip(heads, words):
            title = ", ".join([loop.title] + [word for word in own if word not in same])
            number[title] += 1
            found.append((f"{title} {number[title]}" if number[title] > 1 else title, loop, way, head))
    return found


def figures_of(found, kernel, architecture):
    """The figures of a loop (loop, flow, first block) that all warps go through alike."""
    loop, way, head = found
    if loop.title == loops.TENSOR_STEP:
        return loops.measure_tensor(way, head, kernel, architecture)
    if loop.title == loops.PRODUCT_TURN:
        return loops.measure_product(way, head, ROOT, architecture)
    return loops.measure(loop, way, head)


def measure(every):
    """The rows of the loops, and what each kernel is as a whole."""
    rows, wholes = [], {}
    for name, architecture, body in every:
        wholes.setdefault(name, {})[architecture] = loops.counts(body)
        found = loops_of(body)
        figures = [(title, figures_of(one, name, architecture)) for title, *one in found if not one[0].roles]
        figures += loops.measure_roles([one for one in found if one[1].roles], ROOT)
        rows += [{"kernel": name, "architecture": architecture, "loop": title, "figures": made, "least": loops.least(title, name),
                  "reach": loops.reach(title, name, architecture)} for title, made in figures]
    rows.sort(key=lambda row: (row["kernel"], row["architecture"], row["loop"]))
    return rows, wholes


def show(every, part):
    for name, architecture, body in every:
        if part not in name:
            continue
        for title, loop, way, head in loops_of(body):
            for role, text in loop.roles or ((None, None),):
                print(f"{name}, sm_{architecture}, {title}{', ' + role if role else ''}")
                if way.inner(head) and not role:
                    print("  (it has loops inside)")
                    continue
                path = loops.role_path(loop, way, head, text, ROOT) if role else way.turn(head, loops.heavy)
                for at, waited, i in timing.timeline(path):
                    print(f"{at:6d} {'+' + str(waited) if waited else '':6s} {i.address:05x}  {i.text}")


def run(options):
    tools = disassembly.Disassembler(options.tools)
    architectures = CHECKED if options.check else options.architecture or ALL
    made_by = tools.compiler(objects(options.build)[0], architectures[0])
    if options.check and made_by not in table.kept_text():
        raise disassembly.Missing(f"table.md is of another compiler (found {made_by})")
    every = kernels(tools, options.build, architectures)
    if options.show:
        show(every, options.show)
        return 0
    rows, wholes = measure(every)
    if not rows:
        raise disassembly.Missing(f"{options.build}: it has no code for sm_{CHECKED[0]}")
    if options.check:
        return table.check(rows, table.kept(table.kept_text()))
    print("An estimate from code, not a time: one warp alone, in order.\n")
    print(table.loops_table(rows), end="")
    if options.write:
        missing = [one for one in ALL if not any(row["architecture"] == one for row in rows)]
        if missing:
            raise disassembly.Missing(f"table.md is of sm_{', sm_'.join(map(str, ALL))} (the build lacks sm_{missing[0]})")
        table.write(made_by, rows, wholes)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="./run bench machine", description="Reads what the kernels' machine code costs a step.")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--tools", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--architecture", metavar="SM", type=int, action="append", help="of this one alone: 75, 80, 90, 100, 120")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="keep the tables in bench/machine/table.md")
    action.add_argument("--check", action="store_true", help="fail where a step costs more than table.md says; sm_90 alone")
    action.add_argument("--show", metavar="KERNEL", help="print a step, instruction by instruction, with the cycle of each")
    options = parser.parse_args()
    try:
        return run(options)
    except disassembly.Missing as missing:
        print(f"bench machine: {'skipped: ' if options.check else ''}{missing}", file=sys.stderr)
        return SKIPPED if options.check else 2


if __name__ == "__main__":
    sys.exit(main())
