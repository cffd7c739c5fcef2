"""That counters.py --check fails on what is worse: table.md's own rows pass, and each with one figure worse does not."""

import contextlib
import io
import sys

import table
from workloads import STRUCTURES, WORKLOADS


def rows():
    before = table.kept()
    made = []
    for w in WORKLOADS.values():
        launches, sectors, floats = before[w.title]
        made.append({
            "title": w.title, "launches": launches, "doubled": launches, "sectors": sectors, "ratio": 1.0, "replays": 0.0,
            "steps": 0.0, "floats": floats, "reach": w.reach,
        })
    return made


def structures():
    before = table.structures_kept()
    made = []
    for w in STRUCTURES.values():
        launches, sectors, instructions, _ = before[w.title]
        made.append({
            "title": w.title, "launches": launches, "doubled": launches, "sectors": sectors, "ratio": 1.0,
            "instructions": instructions, "reach": w.reach,
        })
    return made


def worse(name, change, make=rows, check=table.check, kept=table.kept):
    """Whether each row with one figure changed fails, and no other row is named."""
    for index, row in enumerate(make()):
        changed = make()
        changed[index][name] = change(row)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            failed = check(changed, kept())
        if not failed or any(other["title"] + ":" in said.getvalue() for other in changed if other["title"] != row["title"]):
            print(f"control: {row['title']}: {name} {changed[index][name]} was let through, or another row was named")
            return False
    return True


def main():
    if table.check(rows(), table.kept()) != 0 or table.structures_check(structures(), table.structures_kept()) != 0:
        print("control: table.md's own figures fail")
        return 1
    changes = [
        ("launches", lambda row: row["launches"] + 1),
        ("doubled", lambda row: row["launches"] + 1),
        ("sectors", lambda row: row["sectors"] + 1),
        ("ratio", lambda row: row["reach"]["sectors"] + 0.01),
        ("replays", lambda row: row["reach"]["replays"] + 0.01),
        ("steps", lambda row: row["reach"]["barriers"] + 0.1),
        ("floats", lambda row: row["floats"] + 0.001),
        ("floats", lambda row: table.FLOATS + 0.01),
        ("floats", lambda row: 0.0),
    ]
    of_structures = [
        ("launches", lambda row: row["launches"] + 1),
        ("doubled", lambda row: row["launches"] + 1),
        ("sectors", lambda row: row["sectors"] + 1),
        ("ratio", lambda row: row["reach"]["sectors"] + 0.01),
        ("instructions", lambda row: row["instructions"] + 1),
    ]
    found = [worse(name, change) for name, change in changes]
    found += [worse(name, change, structures, table.structures_check, table.structures_kept) for name, change in of_structures]
    return 0 if all(found) else 1


sys.exit(main())
