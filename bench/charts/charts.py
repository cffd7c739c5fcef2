"""Makes docs/performance.md's tables and charts, and README's, from bench/results.

  charts.py [--check] [--results FOLDER] [--root FOLDER]

--check writes nothing and ends with status 1 where a file is not what the results give. --root is the
repository's folder, --results its bench/results unless told otherwise.
"""

import argparse
import os
import sys

import bars
import comparison
import curves
import devices
import growth
import page
import readme
import results
import tables

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join("docs", "performance")
PAGES = (os.path.join("docs", "performance.md"), "README.md")


def drawings(found):
    """File name -> (SVG text, what it shows)."""
    made = {}
    for bench, word in (("frameworks", ""), ("gpu", "gpu-")):
        data = found.get(bench)
        for threads in sorted(results.distinct(row["threads"] for row in results.rows(data, "time"))):
            many = f"{threads}-thread{'s' if threads > 1 else ''}" if bench == "frameworks" else "call"
            made[f"{word}times-{many}.svg"] = (
                bars.times(data, threads),
                "Time of a call of every system, for each workload",
            )
            made[f"{word}ratios-{many}.svg"] = (
                bars.ratios(data, threads),
                "Time of every other system over cuseq's, for each workload",
            )
    made["start.svg"] = (
        bars.start(found.get("frameworks")),
        "Time from process start to the first answer, and peak memory",
    )
    for sweep in ("B", "T", "H"):
        made[f"scaling-{sweep.lower()}.svg"] = (
            curves.sweep(found.get("scaling"), sweep),
            f"Time and share of the peak against {sweep}",
        )
    made["scaling-threads.svg"] = curves.gain(found.get("scaling")), "Times faster on more threads"
    return {name: pair for name, pair in made.items() if pair[0]}


def images(made, *prefixes):
    """Lines that show the charts whose names begin so; nothing where there are none."""
    lines = [
        f'<img src="performance/{name}" alt="{shown}">\n'
        for name, (_, shown) in made.items()
        if name.startswith(prefixes)
    ]
    return "\n".join(lines) + "\n" if lines else ""


def parts(found, made):
    """Name -> text of every part of the pages."""
    frameworks, scaling = found.get("frameworks"), found.get("scaling")
    return {
        "machines": tables.machines(found),
        "summary": comparison.summary(frameworks),
        "goals": comparison.targets(frameworks),
        "times": images(made, "times-")
        + comparison.times(frameworks)
        + "\n"
        + (comparison.spreads(frameworks) if frameworks else ""),
        "bf16": comparison.bf16(frameworks),
        "ratios": images(made, "ratios-") or tables.not_measured("frameworks"),
        "systems": comparison.systems(frameworks) or tables.not_measured("frameworks"),
        "start": images(made, "start") + comparison.start(frameworks),
        "cpu": tables.cpu(found.get("cpu")),
        "scaling-b": images(made, "scaling-b") or tables.not_measured("scaling"),
        "scaling-t": images(made, "scaling-t.") or tables.not_measured("scaling"),
        "scaling-h": images(made, "scaling-h") or tables.not_measured("scaling"),
        "scaling-threads": images(made, "scaling-threads") or tables.not_measured("scaling"),
        "fits": growth.fits(scaling),
        "edges": growth.edges(scaling),
        "points": growth.points(scaling) or tables.not_measured("scaling"),
        "counters": devices.counters(found.get("counters")),
        "gpu": images(made, "gpu-") + devices.gpu(found.get("gpu")),
        "speed": readme.speed(found),
    }


def wanted(root, found):
    """Path under the root -> what it is to hold."""
    made = drawings(found)
    files = {os.path.join(FOLDER, name): text for name, (text, _) in made.items()}
    for name in PAGES:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            files[name] = page.fill(file.read(), parts(found, made), name)
    return files


def left_over(root, files):
    """Charts in the folder that no result gives any more."""
    folder = os.path.join(root, FOLDER)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [
        path
        for path in (os.path.join(FOLDER, name) for name in sorted(names))
        if path.endswith(".svg") and path not in files
    ]


def differs(path, text):
    if not os.path.exists(path):
        return True
    with open(path, encoding="utf-8") as file:
        return file.read() != text


def main():
    parser = argparse.ArgumentParser(
        prog="./run bench charts", description="Makes tables and charts from bench/results."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; status 1 where something differs from the results",
    )
    parser.add_argument("--root", default=os.path.join(HERE, "..", ".."), help=argparse.SUPPRESS)
    parser.add_argument("--results", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        found = results.load(options.results or os.path.join(options.root, "bench", "results"))
        files = wanted(options.root, found)
    except (results.Bad, page.Bad, OSError) as error:
        print(f"charts: {error}", file=sys.stderr)
        return 2
    changed = [path for path, text in files.items() if differs(os.path.join(options.root, path), text)]
    gone = left_over(options.root, files)
    if options.check:
        for path in changed + gone:
            print(
                f"charts: {path}: not what bench/results gives; ./run bench charts makes it", file=sys.stderr
            )
        return 1 if changed or gone else 0
    os.makedirs(os.path.join(options.root, FOLDER), exist_ok=True)
    for path in changed:
        with open(os.path.join(options.root, path), "w", encoding="utf-8") as file:
            file.write(files[path])
    for path in gone:
        os.remove(os.path.join(options.root, path))
    print(
        f"charts: from {', '.join(found) or 'no results'}: {len(files)} files, {len(changed)} written, "
        f"{len(gone)} removed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
