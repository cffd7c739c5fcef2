"""What was measured against what is to be reached (goals.json), beside what others have published, and beside what the kernels'
machine code says."""

import re


def column(goals, gpu):
    """Whose goals a GPU has, or None."""
    for one in goals["columns"]:
        if re.search(r"\b(" + one["names"] + r")\b", gpu):
            return one["gpu"]
    return None


def time_of(rows, workload, system="cuseq"):
    for row in rows:
        if row.get("kind") == "time" and row.get("workload") == workload and row.get("system") == system:
            return row
    return None


def median(rows, workload, system="cuseq"):
    """Microseconds, or None."""
    row = time_of(rows, workload, system)
    return row.get("median_us") if row else None


def machine(rows, what):
    for row in rows:
        if row.get("kind") == "machine" and row.get("what") == what:
            return row.get("value")
    return None


def measured(entry, rows):
    """The figure that a goal or a published one is about, or None."""
    if entry["kind"] == "machine":
        return machine(rows, entry["machine"])
    ours = median(rows, entry["workload"])
    if ours is None:
        return None
    if entry["kind"] == "step":
        return ours / time_of(rows, entry["workload"])["T"]
    if entry["kind"] == "ratio":
        theirs = median(rows, entry["workload"], entry["peer"])
        return theirs / ours if theirs is not None else None
    return ours


def figure(value, unit):
    digits = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{digits}{'' if unit == 'x' else ' '}{unit}"


def goal(entry, rows, whose):
    """A row of kind target."""
    value = measured(entry, rows)
    bounds = entry.get("most") or entry["least"]
    bound = bounds.get(whose)
    text = entry["what"]
    if bound is not None:
        text += f", {'at most' if 'most' in entry else 'at least'} {figure(bound, entry['unit'])}"
    row = {"kind": "target", "target": text, "reached": None, "found": "not measured"}
    if value is None:
        return row
    row["found"] = figure(value, entry["unit"])
    if bound is None:
        known = ", ".join(f"{gpu} {figure(one, entry['unit'])}" for gpu, one in bounds.items())
        row["found"] += f"; no goal for this GPU ({known})"
        return row
    row["reached"] = value <= bound if "most" in entry else value >= bound
    return row


def targets(goals, rows, gpu):
    whose = column(goals, gpu)
    return [goal(entry, rows, whose) for entry in goals["goals"]]


def published(goals, rows):
    """(what, who, what they said, what was found here or None)."""
    return [(entry.get("workload") or entry["machine"], entry["who"], figure(entry["said"], entry["unit"]),
             None if measured(entry, rows) is None else figure(measured(entry, rows), entry["unit"]))
            for entry in goals["others"]]


def nearest(cycles, capability):
    """The estimate for the architecture whose code runs there: the highest that is not above it."""
    below = [int(one) for one in cycles if int(one) <= capability]
    return cycles[str(max(below))] if below else None


def cycles(estimates, rows, capability):
    """Rows of kind cycles: a step by the machine code, and by two calls of which one has more steps."""
    clock = machine(rows, "clock of a busy SM")
    made = []
    for entry in estimates:
        short, long = median(rows, entry["short"]), median(rows, entry["long"])
        row = {"kind": "cycles", "what": entry["what"], "kernel": entry["kernel"],
               "estimated": nearest(entry["cycles"], capability), "measured": None}
        if short is None or long is None or not clock:
            row["reason"] = "not measured"
        else:
            row["measured"] = round((long - short) / entry["steps"] * clock, 1)
        if row["estimated"] is None:
            row["reason"] = "no code of this architecture was read"
        made.append(row)
    return made
