"""Tables in Markdown of CUDA devices: counts of the emulated one, times of real ones."""

from axis import duration, percent, ratio
from comparison import systems, targets
from results import rows
from tables import not_measured, table


def counters(data):
    if not data:
        return not_measured("counters")
    lines = []
    for row in rows(data, "counter"):
        least = f"{row['sectors'] / row['sectors_least']:.2f}" if row.get("sectors_least") else ""
        products = row.get("instructions_with_products", row["instructions"])
        lines.append(
            [
                row["workload"],
                row["version"],
                row["launches"],
                row.get("nodes", ""),
                f"{row['instructions']:,}",
                f"{products:,}",
                f"{row.get('sectors_with_products', row['sectors']):,}",
                least,
                f"{row['barriers']:,}",
            ]
        )
    heads = [
        "workload",
        "version",
        "launches",
        "kernel nodes",
        "thread instructions",
        "with cuBLAS's multiply-adds",
        "32-byte sectors of global memory, cuBLAS's included",
        "over the least possible",
        "barriers",
    ]
    return table(heads, lines) + structures(data)


def structures(data):
    """Models of other structures, where the file has them: what cuBLAS moves is not in it."""
    lines = [
        [
            row["title"],
            row["launches"],
            row["nodes"],
            f"{row['instructions']:,}",
            f"{row['sectors']:,}",
            f"{row['sectors'] / row['sectors_least']:.2f}",
        ]
        for row in rows(data, "counter of a structure")
    ]
    heads = ["structure", "launches", "kernel nodes", "thread instructions", "32-byte sectors of global memory", "over the least possible"]
    return "\n" + table(heads, lines) if lines else ""


GPU_MISSING = (
    "Not measured: no machine that builds this has a GPU. On a machine that has one, `gpu-kit/run` "
    "([gpu-kit.md](gpu-kit.md)) tests and measures everything in eight minutes: cuseq beside cuDNN, a per-step cuBLAS "
    "version and PyTorch, with each time's share of its floor, and what was to be reached. Its gpu.json belongs into "
    "bench/results, and `./run bench charts` brings the figures here.\n"
)


def gpu_row(row, ours):
    if row["median_us"] is None:
        return [
            row["workload"],
            row["system"],
            f"not measured: {row['reason']}",
            "",
            "",
            "",
            "",
            row.get("note") or "",
        ]
    host = "" if row.get("host_median_us") is None else duration(row["host_median_us"])
    floor = share = ""
    if row.get("floor_us") is not None:
        floor = f"{duration(row['floor_us'])} ({row.get('floor', '')})"
        share = percent(row["floor_us"] / row["median_us"])
    over = ratio(row["median_us"] / ours) if ours and row["system"] != "cuseq" else ""
    return [
        row["workload"],
        row["system"],
        duration(row["median_us"]),
        over,
        host,
        floor,
        share,
        row.get("note") or "",
    ]


def cycles(data):
    """A step by the machine code beside what it was measured to take."""
    lines = []
    for row in rows(data, "cycles"):
        both = row["estimated"] is not None and row["measured"] is not None
        lines.append(
            [row["what"], row["kernel"]]
            + [row.get("reason", "") if row[name] is None else f"{row[name]:.0f}" for name in ("estimated", "measured")]
            + [ratio(row["measured"] / row["estimated"]) if both else ""]
        )
    heads = ["a step of", "kernel", "cycles by its machine code, an estimate", "cycles measured", "measured over estimated"]
    return table(heads, lines) + "\n" if lines else ""


def device(data):
    """What was measured of the device itself."""
    lines = [
        [row["what"], f"not measured: {row['reason']}" if row["value"] is None else f"{row['value']:.4g} {row['unit']}"]
        for row in rows(data, "machine")
    ]
    return table(["the device", ""], lines) + "\n" if lines else ""


def gpu(data):
    if not data:
        return GPU_MISSING
    ours = {row["workload"]: row["median_us"] for row in rows(data, "time", system="cuseq")}
    lines = [gpu_row(row, ours.get(row["workload"])) for row in rows(data, "time")]
    heads = ["workload", "system", "median, arrays on the device, by events", "over cuseq's"]
    heads += ["from and to the host, by the clock", "floor", "floor over median", ""]
    reached = targets(data) + "\n" if rows(data, "target") else ""
    return reached + cycles(data) + device(data) + table(heads, lines) + "\n" + systems(data)
