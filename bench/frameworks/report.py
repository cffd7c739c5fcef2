"""The table for people, and the JSON that the charts are made from."""

import json
from pathlib import Path

from measure import CELL_SECONDS, LEAST_ROUNDS, Cell
from peers import OURS, OURS_BF16, WORKLOADS, Peer, is_bf16
from start import Start
from verdict import Verdict, median_of

SHAPES = {
    "W1": "B 5 T 30 F 37 H 16: Bi-LSTM over dense input, attention Dense(1,tanh), one step",
    "W2 B1": "B 1 T 30 F 37 H 32 S 64: one-hot dates, attention Dense(10,tanh) Dense(1,relu), LSTM decoder of 10 steps",
    "W2 B32": "the same, B 32",
    "W2 B1024": "the same, B 1024",
    "W3": "B 32 T 100 F 128 H 128: Bi-LSTM",
    "W4": "B 64 T 128 F 512 H 512: Bi-LSTM",
    "W5 B1": "B 1 T 10 E 128 H 128 S 128 V 3000: GRU encoder and decoder, Bahdanau attention, 10 steps",
    "W5 B32": "the same, B 32",
    "W6 B1": "B 1 T 25 E 500 H 250 S 500 V 10000: 2 Bi-LSTM, 2 LSTM with input feeding, general attention, 25 steps",
    "W6 B32": "the same, B 32",
    "W6 beam B1": "the same, B 1, a beam of 5",
    "W6 beam B32": "the same, B 32, a beam of 5",
    "W7 B1": "B 1 T 40 E 128 H 256: tagger of 2 Bi-LSTM, softmax of 50 at every position",
    "W7 B32": "the same, B 32",
    "W8": "B 64 T 5 to 200 F 256 H 256: Bi-LSTM over rows of many lengths",
    "W9 B1": "B 1 T 10 E 50 H 100 S 200 V 80: lemmatiser, Bi-LSTM, LSTM, general attention, 12 steps",
    "W9 B128": "the same, B 128",
    "W10": "B 1 T 64 F 1024 H 1024: Bi-LSTM over one row",
}


def header(facts: dict[str, object], rounds: int) -> list[str]:
    """The lines that begin with #."""
    versions = facts["versions"]
    return [
        f"# machine   {facts['machine']}",
        f"# cuseq     {versions['cuseq']}, commit {facts['commit']}, {facts['date']}, {versions.get('compiler', '')}",
        f"# command   {facts['command']}",
        "# verified  every system's results against the float64 reference before anything was timed",
        f"# rounds    {rounds}; in each, all systems one after the other, each the best of its calls of 20 ms; median",
        f"#           of the rounds. After {CELL_SECONDS:.0f} s a case has had enough of them, but at least {LEAST_ROUNDS}",
        "# bf16      beside its like: cuseq in bf16 against PyTorch in bf16, judged by what bf16 may err",
        "# threads   1: bound to one processor. 2: two processors; peers may leave one idle",
        "# given     peers get dense one-hot rows and the layouts that they want ready-made: neither is timed",
        "# idle      workers wait for orders asleep; 10 ms of nothing before each is timed",
    ]


def spread(cell: Cell) -> float:
    """(largest - smallest) / median, percent."""
    return 100.0 * (max(cell.times) - min(cell.times)) / cell.median


def time_lines(cells: list[Cell]) -> list[str]:
    """One line for each workload, thread count and system."""
    lines = [
        f"# {name:<11} {SHAPES[name]}" for name in WORKLOADS if any(cell.workload == name for cell in cells)
    ]
    lines += [
        "#",
        "# case      threads system                     median         best  spread    cuseq is    error",
        "#                                                 us           us              faster",
    ]
    for name in WORKLOADS:
        for threads in (1, 2):
            of_precision = {
                bf16: median_of(cells, name, OURS_BF16 if bf16 else OURS, threads) for bf16 in (False, True)
            }
            for cell in cells:
                if (cell.workload, cell.threads) != (name, threads):
                    continue
                start = f"{name:<11} {threads}       {cell.system:<22}"
                if cell.median is None:
                    lines.append(f"{start} not timed: {cell.reason or 'no round'}")
                    continue
                ours = of_precision[is_bf16(cell.system)]
                other = ours and cell.system not in (OURS, OURS_BF16)
                ratio = f"{cell.median / ours:10.2f}x" if other else f"{'-':>11}"
                lines.append(
                    f"{start} {cell.median:12.1f} {min(cell.times):12.1f} {spread(cell):6.1f}% {ratio}  {cell.error:.1e}"
                )
    return lines


def start_lines(starts: list[Start]) -> list[str]:
    """One line for each program."""
    if not starts:
        return []
    lines = [
        "#",
        "# from process start to the first answer, one thread; a fresh process each",
        "# program                      median         best   peak memory",
        "#                                  ms           ms            MB",
    ]
    for start in starts:
        if start.times:
            lines.append(
                f"{start.system:<25} {start.median:12.1f} {min(start.times):12.1f} {start.peak_mb:13.1f}"
            )
        else:
            lines.append(f"{start.system:<25} not measured: {start.reason}")
    return lines


def system_lines(peers: list[Peer], versions: dict[str, str]) -> list[str]:
    """What each system is and had to do."""
    lines = ["#", "# what each is, and had to do"]
    for peer in peers:
        lines.append(f"{peer.system}: {versions.get(peer.system, 'not there')}; {peer.what}; {peer.did}")
    return lines


def verdict_lines(verdicts: list[Verdict]) -> list[str]:
    """One line for each target."""
    return ["#", "# to reach"] + [
        f"{verdict.target:<78} {verdict.found:<52} {verdict.word}" for verdict in verdicts
    ]


def time_row(cell: Cell) -> dict[str, object]:
    """A row of kind "time" (bench/results/README.md)."""
    row: dict[str, object] = {
        "kind": "time",
        "workload": cell.workload,
        "threads": cell.threads,
        "system": cell.system,
        "median_us": cell.median,
        "low_us": min(cell.times, default=None),
        "high_us": max(cell.times, default=None),
        "rounds": len(cell.times),
        "error": cell.error,
        "error_allowed": cell.allowed,
    }
    return row if cell.times else row | {"reason": cell.reason or "no round"}


def start_row(start: Start) -> dict[str, object]:
    """A row of kind "start"."""
    if not start.times:
        return {
            "kind": "start",
            "system": start.system,
            "median_ms": None,
            "low_ms": None,
            "high_ms": None,
            "peak_mb": None,
            "reason": start.reason or "no round",
        }
    return {
        "kind": "start",
        "system": start.system,
        "median_ms": start.median,
        "low_ms": min(start.times),
        "high_ms": max(start.times),
        "peak_mb": round(start.peak_mb, 2),
    }


def write_json(
    path: Path,
    facts: dict[str, object],
    rounds: int,
    peers: list[Peer],
    cells: list[Cell],
    starts: list[Start],
    verdicts: list[Verdict],
) -> None:
    """The file that bench/results keeps."""
    versions = facts["versions"]
    rows = [time_row(cell) for cell in cells] + [start_row(start) for start in starts]
    rows += [
        {
            "kind": "system",
            "system": peer.system,
            "version": versions.get(peer.system),
            "what": peer.what,
            "did": peer.did,
        }
        for peer in peers
    ]
    rows += [
        {"kind": "target", "target": verdict.target, "found": verdict.found, "reached": verdict.reached}
        for verdict in verdicts
    ]
    text = ",\n  ".join(json.dumps(row) for row in rows)
    first = json.dumps({"bench": "frameworks"} | facts | {"rounds": rounds}, indent=1)
    path.write_text(first.rstrip("}\n") + ',\n "rows": [\n  ' + text + "\n ]\n}\n")
