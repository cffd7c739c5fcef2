"""README's few lines: cuseq beside the others where that was measured, else beside the processor's peak."""

from axis import digits, duration, percent, ratio
from comparison import cell_groups, own, rivals
from results import distinct, rows
from tables import not_measured, table


def shares(cpu):
    return {
        (row["workload"], row["threads"]): row["share_median"]
        for row in rows(cpu, "time", system="cuseq")
        if row["median_us"] is not None
    }


def chosen(others, prefix):
    """The fastest of the systems whose names begin so."""
    return next((row for row in others if row["system"].startswith(prefix)), None)


def compared(row, time):
    return "" if row is None else f"{duration(row['median_us'])} ({ratio(row['median_us'] / time)})"


def beside_others(data, cpu):
    share, lines = shares(cpu), []
    for workload, threads, group in cell_groups(data):
        time = own(group)
        if not time:
            continue
        others = rivals(data, workload, threads)
        best = others[0] if others else None
        name = f"{best['system']} {compared(best, time)}" if best else ""
        peak = share.get((workload, threads))
        lines.append(
            [
                workload,
                threads,
                duration(time),
                percent(peak) if peak else "",
                name,
                compared(chosen(others, "PyTorch"), time),
                compared(chosen(others, "Keras"), time),
            ]
        )
    heads = [
        "workload",
        "threads",
        "cuseq",
        "share of the FMA peak",
        "fastest other (over cuseq's)",
        "PyTorch",
        "Keras",
    ]
    return table(heads, lines)


def alone(cpu):
    lines = []
    for workload in distinct(row["workload"] for row in rows(cpu, "time")):
        line = [workload]
        for row in rows(cpu, "time", workload=workload, system="cuseq"):
            line += (
                [duration(row["median_us"]), percent(row["share_median"])]
                if row["median_us"] is not None
                else ["not measured", ""]
            )
        lines.append(line)
    heads = ["workload", "1 thread", "share of the FMA peak", "2 threads", "share of the peak"]
    return table(heads, lines)


def first_answer(data):
    """cuseq's start-up, and the span of the others'."""
    found = [row for row in rows(data, "start") if row["median_ms"] is not None]
    told = [
        f"{row['system']}, {digits(row['median_ms'])} ms and {digits(row['peak_mb'])} MB of memory"
        for row in found
        if row["system"].startswith("cuseq")
    ]
    rest = sorted(
        (row for row in found if not row["system"].startswith("cuseq")), key=lambda row: row["median_ms"]
    )
    if rest:
        ends = [
            f"{digits(row['median_ms'])} ms and {digits(row['peak_mb'])} MB ({row['system']})"
            for row in (rest[0], rest[-1])
        ]
        told.append("the others from " + " to ".join(distinct(ends)))
    return "\nFrom process start to the first answer: " + "; ".join(told) + ".\n" if told else ""


def speed(found):
    cpu, data = found.get("cpu"), found.get("frameworks")
    source = data or cpu
    if not source:
        return not_measured("cpu")
    text = beside_others(data, cpu) + first_answer(data) if data else alone(cpu)
    return text + f"\nMeasured on {source['machine']}, {source['date']}, commit {source['commit']}.\n"
