"""Tables in Markdown of CUDA devices: counts of the emulated one, times of real ones."""

from axis import duration
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
    return table(heads, lines)


GPU_MISSING = (
    "Not measured: no machine that builds this has a GPU. On a machine that has one, `./run bench gpu --json "
    "bench/results/gpu.json` measures cuseq beside cuDNN, a per-step cuBLAS version and PyTorch, with each "
    "time's share of its floor, and `./run bench charts` brings the figures here.\n"
)


def gpu(data):
    if not data:
        return GPU_MISSING
    lines = []
    for row in rows(data, "time"):
        what = row["workload"] + (f", {row['sweep']} {row['value']}" if row.get("sweep") else "")
        if row["median_us"] is None:
            lines.append([what, row["system"], f"not measured: {row['reason']}", "", "", ""])
            continue
        kernel, host = (
            duration(row[key]) if row.get(key) is not None else "" for key in ("kernel_us", "host_us")
        )
        floor = "" if row.get("floor_us") is None else f"{duration(row['floor_us'])} ({row.get('floor', '')})"
        lines.append([what, row["system"], duration(row["median_us"]), kernel, host, floor])
    return table(["workload", "system", "median", "kernels, by events", "seen by the host", "floor"], lines)
