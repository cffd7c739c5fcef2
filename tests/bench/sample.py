"""Made-up results of every bench, in the form of bench/results/README.md. Nothing here was measured: the
figures are powers and products, chosen so that every case of the charts occurs - a loss, a figure that is
missing, spreads, one and several lines."""

WORKLOADS = {"W1": 10.0, "W2 B1": 11.0, "W2 B32": 210.0, "W2 B1024": 7000.0, "W3": 6500.0, "W4": 260000.0}
# Times over cuseq's; the second is a loss on W4.
SYSTEMS = {
    "cuseq": 1.0,
    "oneDNN": 2.5,
    "ONNX Runtime": 4.0,
    "PyTorch compiled": 40.0,
    "PyTorch eager": 64.0,
    "Keras compiled": 300.0,
    "Keras predict": 5000.0,
    "textbook C": 20.0,
}


def head(bench, rows):
    return {
        "bench": bench,
        "machine": "synthetic sample: no machine",
        "versions": {"cuseq": "0.0.0", "sample": "1"},
        "date": "2000-01-01 00:00 UTC",
        "commit": "0000000",
        "command": f"./run bench {bench}",
        "rounds": 3,
        "rows": rows,
    }


def time_row(workload, threads, system, median, **more):
    return {
        "kind": "time",
        "workload": workload,
        "threads": threads,
        "system": system,
        "median_us": median,
        "low_us": 0.9 * median,
        "high_us": 1.2 * median,
        "rounds": 3,
        **more,
    }


def frameworks():
    rows = []
    for workload, base in WORKLOADS.items():
        for threads in (1, 2):
            for system, factor in SYSTEMS.items():
                factor = max(1.0, factor * base**-0.3) if system != "cuseq" else 1.0
                factor = 0.8 if (workload, system, threads) == ("W4", "oneDNN", 2) else factor
                rows.append(
                    time_row(
                        workload, threads, system, base / threads * factor, error=1e-7, error_allowed=3e-6
                    )
                )
    missing = next(
        row
        for row in rows
        if row["system"] == "ONNX Runtime" and row["workload"] == "W4" and row["threads"] == 1
    )
    missing.update(median_us=None, low_us=None, high_us=None, reason="the sample leaves it out")
    # A workload on one thread only, which not every system has.
    for system in ("cuseq", "ONNX Runtime", "PyTorch eager"):
        rows.append(time_row("W5 B1", 1, system, 200.0 * SYSTEMS[system], error=1e-7, error_allowed=8e-6))
    for system, ms, mb in (
        ("cuseq, command line", 2.5, 9.0),
        ("cuseq, C", 1.5, 7.0),
        ("PyTorch eager", 1800.0, 300.0),
        ("Keras predict", 6000.0, 700.0),
    ):
        rows.append(
            {
                "kind": "start",
                "system": system,
                "median_ms": ms,
                "low_ms": 0.9 * ms,
                "high_ms": 1.3 * ms,
                "peak_mb": mb,
            }
        )
    rows.append(
        {"kind": "system", "system": "oneDNN", "version": "1", "what": "a sample", "did": "nothing | at all"}
    )
    for target, reached in (("this", True), ("that", False), ("the other", None)):
        rows.append({"kind": "target", "target": target, "found": "1.5x", "reached": reached})
    return head("frameworks", rows)


def cpu():
    rows = [{"kind": "machine", "what": "peak on 1 thread", "value": 280.0, "unit": "GFLOP/s"}]
    for workload, base in WORKLOADS.items():
        for threads in (1, 2):
            rows.append(
                time_row(
                    workload,
                    threads,
                    "cuseq",
                    base / threads,
                    share_best=0.7,
                    share_median=0.66,
                    streaming_us=base / 2 if workload == "W2 B1" and threads == 1 else None,
                    bar=0.65,
                    gain_best=None if threads == 1 else 0.99,
                    gain_median=None if threads == 1 else 0.97,
                    verdict="reached",
                    error_share=0.01,
                )
            )
    return head("cpu", rows)


def point(sweep, model, value, threads, median, share):
    return {
        "kind": "point",
        "sweep": sweep,
        "model": model,
        "value": value,
        "threads": threads,
        "B": 1,
        "T": 1,
        "F": 1,
        "H": 1,
        "median_us": median,
        "low_us": 0.95 * median,
        "high_us": 1.1 * median,
        "rounds": 3,
        "gflops": 100.0,
        "share": share,
        "floor_us": median * share,
        "stream_us": 0.1 * median,
        "verified": value < 100,
    }


def scaling():
    sweeps = (
        ("B", "dates model", [1, 2, 3, 4, 6, 8, 16, 36, 37, 128, 1024, 4096], 1.0),
        ("B", "encoder, H 512", [1, 2, 4, 8, 64], 1.0),
        ("T", "dates model, B 32", [4, 16, 64, 256, 2048], 1.0),
        ("T", "dates model, B 1", [4, 16, 64, 256, 2048], 1.0),
        ("H", "encoder, F = H, B 32", [8, 16, 17, 64, 256, 1024], 2.0),
        ("H", "encoder, F = H, B 1", [8, 16, 17, 64, 256, 1024], 2.0),
    )
    rows = [{"kind": "machine", "what": "peak on 1 thread", "value": 280.0, "unit": "GFLOP/s"}]
    for sweep, model, values, order in sweeps:
        for threads in (1, 2):
            for value in values:
                share = 0.9 * value / (value + 3.0) / threads**0.2
                rows.append(point(sweep, model, value, threads, value**order / share / threads, share))
            rows.append(
                {
                    "kind": "fit",
                    "sweep": sweep,
                    "model": model,
                    "threads": threads,
                    "from": values[1],
                    "to": values[-1],
                    "range": "on",
                    "points": len(values) - 1,
                    "exponent": order,
                    "exponent_error": 0.01,
                    "floor_exponent": order,
                }
            )
        rows.append(
            {
                "kind": "edge",
                "sweep": sweep,
                "model": model,
                "threads": 1,
                "from": values[0],
                "to": values[0],
                "share_low": 0.2,
                "share_high": 0.2,
                "best_share": 0.9,
                "cause": "a cause",
                "evidence": "some figures",
            }
        )
    for model in ("dates model, B 32", "dates model, B 1024", "encoder, H 128, B 32"):
        rows += [
            point("threads", model, threads, threads, 1000.0 / threads**0.9, 0.6) for threads in (1, 2, 3, 4)
        ]
    rows.append(dict(point("call", "smallest call", 1, 1, 0.2, 0.0)))
    return head("scaling", rows)


def counters():
    rows = []
    for workload in ("W1", "W3"):
        for version, factor in (("fused", 1), ("per step", 50)):
            rows.append(
                {
                    "kind": "counter",
                    "workload": workload,
                    "version": version,
                    "launches": factor,
                    "nodes": factor,
                    "instructions": 1000 * factor,
                    "sectors": 5000 * factor,
                    "barriers": 10 * factor,
                }
            )
        rows[-2]["sectors_least"] = 4000
    return head("counters", rows)


def gpu():
    rows = []
    for workload, base in WORKLOADS.items():
        for system, factor in (("cuseq", 1.0), ("cuDNN", 3.0), ("per step", 9.0)):
            rows.append(
                time_row(
                    workload,
                    1,
                    system,
                    base * factor,
                    host_median_us=2 * base * factor,
                    floor_us=base / 2,
                    floor="chain",
                )
            )
    rows.append(time_row("B 4", 1, "cuseq", 5.0, sweep="B", value=4))
    rows.append(
        {
            "kind": "time",
            "workload": "H 96",
            "threads": 1,
            "system": "cuDNN",
            "median_us": None,
            "reason": "not there",
        }
    )
    rows += [
        {"kind": "target", "target": "W4, at most 1 ms", "found": "0.9 ms", "reached": True},
        {"kind": "machine", "what": "a node of a graph", "value": 2.5, "unit": "us"},
        {"kind": "cycles", "what": "LSTM, H 16", "kernel": "warp16", "estimated": 300.0, "measured": 450.0},
        {
            "kind": "cycles",
            "what": "LSTM, H 32",
            "kernel": "warp32",
            "estimated": 350.0,
            "measured": None,
            "reason": "not measured",
        },
    ]
    return head("gpu", rows)


ALL = {"cpu": cpu, "frameworks": frameworks, "scaling": scaling, "counters": counters, "gpu": gpu}
