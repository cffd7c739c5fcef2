"""What is to be reached beside other systems, and whether it was."""

from axis import digits, ratio, threads_text
from results import rows
from tables import cell_groups, not_measured, others, own, table

SMALL = ("W1", "W2 B1")


def beside(data, wanted, workload, least, who):
    """A line for each case of a goal: cuseq at least `least` times as fast as the best of the systems wanted."""
    lines = []
    for name, threads, group in cell_groups(data):
        rivals = [row for row in others(group) if wanted(row["system"])]
        if not workload(name) or not rivals or not own(group):
            continue
        best = min(rivals, key=lambda row: row["median_us"])
        found = best["median_us"] / own(group)
        lines.append([f"{name}, {threads_text(threads)}: at least {least:g}x as fast as {who}",
                      f"{ratio(found)} ({best['system']})", "reached" if found >= least else "**missed**"])
    return lines


def start_lines(data):
    """The command line from process start to the first answer."""
    lines = []
    for row in rows(data, "start"):
        if not row["system"].startswith("cuseq"):
            continue
        for key, most, unit, what in (("median_ms", 15, "ms", "start to first answer"), ("peak_mb", 30, "MB", "peak memory")):
            if row[key] is not None:
                lines.append([f"{row['system']}: {what} under {most} {unit}", f"{digits(row[key])} {unit}",
                              "reached" if row[key] < most else "**missed**"])
    return lines


def goals(data):
    if not data:
        return not_measured("frameworks")
    every = lambda name: True
    lines = beside(data, every, lambda name: name == "W1", 2.5, "the best other system")
    lines += beside(data, every, lambda name: name.startswith("W2"), 2.0, "the best other system")
    lines += beside(data, every, lambda name: name in ("W3", "W4"), 1.0, "the best other system")
    lines += beside(data, lambda name: name.startswith("PyTorch eager"), lambda name: name in SMALL, 20.0, "PyTorch eager")
    lines += beside(data, lambda name: name.startswith("Keras"), lambda name: name in SMALL, 50.0, "Keras")
    lines += start_lines(data)
    return table(["to reach", "found", ""], lines)
