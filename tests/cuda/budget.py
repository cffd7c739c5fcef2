"""Registers, shared memory and spills of every kernel for every architecture, from ptxas's reports of the build.

  budget.py KERNELS REPORTS TABLE    writes the table and fails on any spill, and on a kernel beyond its budget

The budget is the paragraph "budget" in the comment above a kernel: "N registers (NAME M)": N is for the kernels of the file,
M for those with NAME among the words of theirs. Static shared memory may be what the paragraphs "launch" and "budget" name
in bytes or KB, at most; what is "more" is added.
"""

import os
import re
import subprocess
import sys

PARAGRAPH = re.compile(r"^ \* (launch|budget)\s+((?:.*\n)(?: \*  +.*\n)*)", re.M)
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)\w?'")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def budgets(path):
    """Registers by word ("" for the rest), and bytes of shared memory, of a .cu file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    registers, shared = {}, [0, 0]
    for name, paragraph in PARAGRAPH.findall(text):
        paragraph = re.sub(r"\n \*", " ", paragraph)
        if name == "budget":
            for count, word, other in re.findall(r"(\d+) registers(?: \((\w+):? (\d+)\))?", paragraph):
                registers[""] = max(int(count), registers.get("", 0))
                if word:
                    registers[word] = int(other)
        for number, unit, is_more in re.findall(r"(\d+(?:\.\d+)?)(?= (?:or [\d.]+ )*(bytes|KB)( more)?)", paragraph):
            size = float(number)
            if unit == "KB":  # rounded to the digits that are written
                size = (size + 0.5 * 10 ** -len(number.partition(".")[2])) * 1024
            shared[bool(is_more)] = max(shared[bool(is_more)], size)
    return registers, sum(shared)


def kernels(path):
    """(name, architecture, registers, shared, spilled bytes) of a report."""
    found, entry = [], None
    with open(path, encoding="utf-8") as file:
        for line in file:
            start = ENTRY.search(line)
            if start:
                entry, spilled = start, 0
            spills = SPILLS.search(line)
            if spills and entry:
                spilled = int(spills[1]) + int(spills[2])
            used = USED.search(line)
            if used and entry:
                shared = SHARED.search(line)
                found.append((entry[1], int(entry[2]), int(used[1]), int(shared[1]) if shared else 0, spilled))
                entry = None
    names = subprocess.run(["c++filt"], input="\n".join(one[0] for one in found), text=True, check=True,
                           stdout=subprocess.PIPE).stdout.split("\n")
    return [(re.sub(r"\(.*", "", name).removeprefix("void "), *one[1:]) for name, one in zip(names, found)]


def main(sources, reports, table):
    rows, failures = [], []
    files = [os.path.join(folder, file) for folder, _, names in os.walk(sources) for file in names if file.endswith(".cu")]
    for path in sorted(files):
        file = os.path.basename(path)
        found = kernels(os.path.join(reports, file[:-3] + ".txt"))
        registers, shared = budgets(path)
        if found and "" not in registers:
            failures.append(f"{file}: it has no budget (needed a line ' * budget    N registers')")
            continue
        for name, architecture, used, static, spilled in sorted(found):
            words = re.split(r"[_<>, ]+", name)
            budget = next((registers[word] for word in registers if word and word in words), registers[""])
            rows.append(f"| {file} | {name} | {architecture} | {used} | {budget} | {static} | {spilled} |")
            where = f"{file}: {name} for sm_{architecture}"
            if spilled:
                failures.append(f"{where}: it spills ({spilled} bytes)")
            if used > budget:
                failures.append(f"{where}: too many registers (found {used}, the budget is {budget})")
            if static > shared:
                failures.append(f"{where}: too much shared memory (found {static} bytes, the comment has {shared:.0f})")
    with open(table, "w", encoding="utf-8") as out:
        out.write("| file | kernel | sm | registers | budget | static shared, bytes | spilled, bytes |\n"
                  "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n")
    print(f"{len(rows)} kernels in {table}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures or not rows else 0


if len(sys.argv) != 4:
    print(__doc__, file=sys.stderr)
    sys.exit(2)
sys.exit(main(*sys.argv[1:]))
