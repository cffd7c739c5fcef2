"""What was to be reached, and whether it was."""

from dataclasses import dataclass

from measure import Cell
from peers import DATES, FIRST, OURS, OURS_BF16, WORKLOADS, is_bf16
from start import Start

START_MS = 15.0
START_MB = 30.0


@dataclass(frozen=True)
class Verdict:
    """One target. found is the figure in words; reached is None where it could not be measured."""

    target: str
    found: str
    reached: bool | None

    @property
    def word(self) -> str:
        """What the table says."""
        return "not measured" if self.reached is None else "reached" if self.reached else "MISSED"


def median_of(cells: list[Cell], workload: str, system: str, threads: int) -> float | None:
    """A cell's median, or None where there is none."""
    for cell in cells:
        if (cell.workload, cell.system, cell.threads) == (workload, system, threads):
            return cell.median
    return None


def best_peer(
    cells: list[Cell], workload: str, threads: int, systems: str = "", bf16: bool = False
) -> tuple[float, str] | None:
    """The fastest other system of the precision whose name starts so. What is given two threads may use one of them."""
    found = [
        (cell.median, cell.system)
        for cell in cells
        if cell.workload == workload
        and cell.system not in (OURS, OURS_BF16)
        and is_bf16(cell.system) == bf16
        and cell.system.startswith(systems)
        and cell.threads <= threads
        and cell.median is not None
    ]
    return min(found, default=None)


def against(
    cells: list[Cell],
    target: str,
    workloads: tuple[str, ...],
    least: float,
    systems: str = "",
    threads: tuple[int, ...] = (1, 2),
) -> Verdict:
    """Whether ours is `least` times as fast as the best of the systems in all of the workloads that were measured."""
    worst: tuple[float, str] | None = None
    judged = 0
    for workload in workloads:
        for count in threads:
            ours, peer = median_of(cells, workload, OURS, count), best_peer(cells, workload, count, systems)
            if ours is None or peer is None:
                continue
            judged += 1
            place = f"{workload}, {count} thread{'s' if count > 1 else ''}, {peer[1]}"
            worst = min(worst or (peer[0] / ours, place), (peer[0] / ours, place))
    if worst is None:
        return Verdict(target, "-", None)
    cases = len(workloads) * len(threads)
    part = "" if judged == cases else f", {judged} of {cases} cases"
    return Verdict(target, f"{worst[0]:.2f}x at least ({worst[1]}{part})", worst[0] >= least)


def started(starts: list[Start], system: str, cuda: bool) -> Verdict:
    """Whether ours answers soon and small enough; cuda: whether the CUDA module was there to be looked at."""
    module = " (CUDA module there)" if cuda else ""
    target = f"{system}{module}: start to first date < {START_MS:.0f} ms and < {START_MB:.0f} MB"
    for start in starts:
        if start.system == system and start.times:
            found = f"{start.median:.1f} ms, {start.peak_mb:.1f} MB"
            return Verdict(target, found, start.median < START_MS and start.peak_mb < START_MB)
    return Verdict(target, "-", None)


PUBLISHED = (
    ("W5 B1", 3.0, ""),
    ("W5 B32", 2.0, ""),
    ("W6 B1", 1.1, ""),
    ("W6 B32", 1.5, ""),
    ("W6 beam B1", 1.7, ""),
    ("W6 beam B32", 1.5, ""),
    ("W7 B1", 1.4, ""),
    ("W7 B32", 1.05, ""),
    ("W8", 1.6, "PyTorch eager"),
    ("W8", 3.0, "PyTorch padded"),
    ("W9 B1", 4.0, ""),
    ("W9 B128", 1.6, ""),
)


def published(cells: list[Cell]) -> list[Verdict]:
    """The targets of W5 to W10, on one thread and on two."""
    rest = tuple(name for name in WORKLOADS if name not in FIRST)
    found = [against(cells, "W5 to W10: at least as fast as the best peer", rest, 1.0)]
    for workload, least, system in PUBLISHED:
        for threads in (1, 2):
            on = "" if threads == 1 else ", 2 threads"
            target = f"{workload}{on} >= {least:g}x {system or 'the best peer'}"
            found.append(against(cells, target, (workload,), least, system, (threads,)))
    return found


IN_BF16 = (("W3", 1.7, 1.1), ("W4", 1.8, 1.05), ("W10", 1.7, 1.0))


def in_bf16(cells: list[Cell]) -> list[Verdict]:
    """The targets of bf16 on one thread: over our own float32, and over PyTorch's bf16."""
    found = []
    for workload, own, theirs in IN_BF16:
        ours, float32 = (median_of(cells, workload, system, 1) for system in (OURS_BF16, OURS))
        peer = best_peer(cells, workload, 1, bf16=True)
        for target, least, other in (
            (f"{workload} in bf16 >= {own:g}x our float32", own, float32),
            (f"{workload} in bf16 >= {theirs:g}x PyTorch bf16", theirs, peer[0] if peer else None),
        ):
            if ours is None or other is None:
                found.append(Verdict(target, "-", None))
            else:
                found.append(Verdict(target, f"{other / ours:.2f}x", other / ours >= least))
    return found


def verdicts(cells: list[Cell], starts: list[Start], cuda: bool = False) -> list[Verdict]:
    """Every target. Ratios are of medians; the worst workload and thread count decides."""
    small = ("W1", "W2 B1")
    return [
        against(cells, "W1 to W4: at least as fast as the best peer", FIRST, 1.0),
        against(cells, "W1 >= 2.5x the best peer", ("W1",), 2.5),
        against(cells, "W2 >= 2x the best peer", DATES, 2.0),
        against(cells, "W4 >= 1.0x oneDNN", ("W4",), 1.0, "oneDNN"),
        *(against(cells, f"W1 and W2 B1 >= 20x {name}", small, 20.0, name) for name in ("PyTorch eager",)),
        *(
            against(cells, f"W1 and W2 B1 >= 50x {name}", small, 50.0, name)
            for name in ("Keras compiled", "Keras XLA", "Keras predict")
        ),
        *published(cells),
        *in_bf16(cells),
        started(starts, "cuseq, command line", cuda),
        started(starts, "cuseq, C", cuda),
    ]
