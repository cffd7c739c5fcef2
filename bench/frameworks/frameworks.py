"""frameworks.py BUILD_DIR [options]: cuseq's CPU backend beside the systems that people would take instead."""

import argparse
import platform
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import packages
from measure import measure, open_all
from peers import HERE, WORKLOADS, all_peers
from report import header, start_lines, system_lines, time_lines, verdict_lines, write_json
from start import first_answers
from verdict import verdicts

ROOT = HERE.parent.parent
ROUNDS, QUICK_ROUNDS = 11, 3
STARTS, QUICK_STARTS = 9, 3


def say(text: str) -> None:
    """Progress, to stderr."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./run bench frameworks",
        description="Times cuseq's CPU backend beside other systems, on 1 and 2 threads.",
    )
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead of {ROUNDS}")
    parser.add_argument("--rounds", type=int, help="so many rounds, 2 to 1000")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="only the workloads whose names start so, such as W2"
    )
    parser.add_argument(
        "--systems", default="", metavar="NAME,..", help="only the systems whose names start so, and cuseq"
    )
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only so many threads")
    parser.add_argument("--no-start", action="store_true", help="no times from process start to first answer")
    parser.add_argument(
        "--offline", action="store_true", help="fetch no packages; what is not there is left out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    given = parser.parse_args(words)
    if given.rounds is not None and not 2 <= given.rounds <= 1000:
        parser.error(f"--rounds: 2 to 1000 are needed (found {given.rounds})")
    given.rounds = given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS)
    return given


def output_of(*command: str) -> str:
    """The first line that a command prints, or "unknown"."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.split("\n", 1)[0]


def machine(program: Path) -> str:
    """The processor's name, and what cuseq makes of it."""
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    devices = subprocess.run([str(program), "devices"], capture_output=True, text=True, check=False).stdout
    cpu = re.search(r"^cpu\s+(.*)$", devices, re.MULTILINE)
    return f"{found[1] if found else platform.machine()}: {cpu[1].removesuffix('(auto)').strip() if cpu else 'unknown'}"


def facts(given: argparse.Namespace, words: list[str], versions: dict[str, str]) -> dict[str, object]:
    """What heads the table and the JSON."""
    commit = ROOT / "bench/results/commit.sh"
    shown = [
        word for n, word in enumerate(words) if word != "--json" and (n == 0 or words[n - 1] != "--json")
    ]
    shown = [word for word in shown if not word.startswith("--json=")]
    versions["cuseq"] = output_of(str(given.build / "cuseq"), "--version").split(" ")[-1]
    versions["compiler"] = output_of("gcc", "--version")
    return {
        "machine": machine(given.build / "cuseq"),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": (
            output_of(str(commit)) if commit.exists() else output_of("git", "describe", "--always", "--dirty")
        ),
        "command": shlex.join(["./run", "bench", "frameworks", *shown]),
    }


def make_data(programs: Path, data: Path) -> None:
    """The workloads' files, if the program that writes them is newer."""
    writer, done = programs / "bench_frameworks_data", data / "done"
    if done.exists() and done.stat().st_mtime >= writer.stat().st_mtime:
        return
    say("writing the workloads")
    data.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(writer), str(data)], check=True)
    done.touch()


def main(words: list[str]) -> int:
    """The whole bench; the exit status."""
    given = arguments(words)
    build = given.build.resolve()
    programs, folder = build / "bench", build / "frameworks"
    workloads = tuple(name for name in WORKLOADS if name.startswith(given.only))
    if not workloads:
        say(f"--only {given.only}: no such workload (there are {', '.join(WORKLOADS)})")
        return 2
    make_data(programs, folder / "data")
    packages.provide(build, folder, fetch=not given.offline, say=say)
    chosen = given.systems.split(",")
    peers = [
        peer
        for peer in all_peers(programs, folder)
        if peer.system == "cuseq" or any(peer.system.startswith(name) for name in chosen)
        if set(peer.workloads) & set(workloads)
    ]
    log = folder / "log"
    log.write_text("")
    cells, versions = [], {}
    for threads in (1, 2) if given.threads is None else (given.threads,):
        say(f"{threads} thread{'s' if threads > 1 else ''}: setting up and verifying")
        opened, workers = open_all(peers, folder / "data", threads, workloads, log, versions)
        for number in measure(opened, workers, given.rounds):
            say(f"{threads} thread{'s' if threads > 1 else ''}: round {number + 1} of {given.rounds}")
        for worker in workers.values():
            worker.close()
        cells += opened
    skipped = {
        peer.system: next(
            (cell.reason for cell in cells if cell.system == peer.system and cell.reason), "not there"
        )
        for peer in peers
        if peer.system not in versions
    }
    starts = []
    if not given.no_start:
        say("starting fresh processes")
        starts = first_answers(
            peers,
            programs,
            folder / "data",
            ROOT / "models/dates.safetensors",
            QUICK_STARTS if given.quick else STARTS,
            skipped,
        )
    known = facts(given, words[1:], versions)
    reached = verdicts(cells, starts, (build / "libcuseq_cuda.so").exists())
    print(
        "\n".join(
            [
                *header(known, given.rounds),
                *time_lines(cells),
                *start_lines(starts),
                *system_lines(peers, versions),
                *verdict_lines(reached),
            ]
        )
    )
    if given.json:
        write_json(given.json, known, given.rounds, peers, cells, starts, reached)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
