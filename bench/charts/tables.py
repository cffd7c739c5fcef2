"""What all tables in Markdown share, the table of the benches, and that of ./run bench cpu."""

from axis import digits, duration, percent
from results import distinct, is_bf16, rows

COMMAND = {
    "cpu": "./run bench cpu --json bench/results/cpu.json",
    "frameworks": "./run bench frameworks --json bench/results/frameworks.json",
    "scaling": "./run bench scaling --json bench/results/scaling.json",
    "counters": "./run bench counters --json bench/results/counters.json",
    "gpu": "./run bench gpu --json bench/results/gpu.json",
}


def not_measured(bench):
    return f"Not measured: `{COMMAND[bench]}` has not been run.\n"


def cell(value):
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(heads, lines):
    text = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    text += ["| " + " | ".join(cell(value) for value in line) + " |" for line in lines]
    return "\n".join(text) + "\n"


def folded(title, text):
    """Text that is opened by a click."""
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n"


def machines(found):
    """What was measured where, when and with what."""
    lines = []
    for bench in COMMAND:
        data = found.get(bench)
        if not data:
            lines.append([bench, "not measured", "", "", "", "", f"`{COMMAND[bench]}`"])
            continue
        # A version that begins with a name needs no other.
        versions = ", ".join(
            distinct(
                version if version[:1].isalpha() else f"{name} {version}"
                for name, version in data["versions"].items()
            )
        )
        lines.append(
            [
                bench,
                data["machine"],
                data["date"],
                data["commit"],
                data["rounds"],
                versions,
                f"`{data['command']}`",
            ]
        )
    return table(["bench", "machine", "date", "commit", "rounds", "versions", "command"], lines)


def cpu(data):
    if not data:
        return not_measured("cpu")
    peaks = ", ".join(f"{row['what']} {digits(row['value'])} {row['unit']}" for row in rows(data, "machine"))
    lines = []
    for row in rows(data, "time"):
        name = f"{row['workload']} in bf16" if is_bf16(row) else row["workload"]
        if row["median_us"] is None:
            lines.append(
                [name, row["threads"], f"not measured: {row['reason']}", "", "", "", "", "", ""]
            )
            continue
        gain = (
            f"{row['gain_best']:.2f} / {row['gain_median']:.2f}" if row.get("gain_best") is not None else ""
        )
        streaming = row.get("streaming_us")
        bar = row.get("bar")
        reach = (
            ""
            if bar is None
            else f"{percent(bar)} of the peak" if row["threads"] == 1 else f"{bar:.2f} of the gain"
        )
        lines.append(
            [
                name,
                row["threads"],
                duration(row["median_us"]),
                f"{duration(row['low_us'])} to {duration(row['high_us'])}",
                f"{percent(row['share_best'])} / {percent(row['share_median'])}",
                f"{duration(streaming)} ({percent(streaming / row['median_us'])})" if streaming else "",
                gain,
                reach,
                row.get("verdict", "").lower() if bar is not None else "",
            ]
        )
    heads = [
        "workload",
        "threads",
        "median",
        "smallest to largest round",
        "share of the peak, best / median",
        "reading the weights once a step (of the median)",
        "gain of the second thread over the peak's, best / median",
        "to reach",
        "",
    ]
    return f"Measured: {peaks}.\n\n" + table(heads, lines)
