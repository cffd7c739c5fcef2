"""Packs the kit, moves it where nothing of the build is, and runs it to its end on the emulated device: whole_test.py BUILD

A minute or two. Its programs must ask for nothing outside of the kit but what every Ubuntu has, and no time may be stored."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import elf
import pack


def fail(text):
    print(f"test-gpu-kit: {text}", file=sys.stderr)
    sys.exit(1)


def outside(kit):
    """What programs and libraries of the kit find elsewhere, or do not find, that the kit should have."""
    folder = os.path.join(kit, "unpacked", "bin")
    variables = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": folder}
    found = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.islink(path) or not elf.is_elf(path):
            continue
        found += [f"{name} looks for libraries in {part}" for part in elf.absolute_paths(path)]
        for library, where in elf.needed(path, variables).items():
            if not library.startswith(pack.OTHERS) and (where is None or not where.startswith(folder + os.sep)):
                found.append(f"{name} finds {library} at {where}")
    return found


def state_of(results):
    with open(os.path.join(results, "steps.json"), encoding="utf-8") as file:
        return json.load(file)


def times(results):
    """Figures of time that are stored."""
    with open(os.path.join(results, "emulated.json"), encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    return [row for row in rows if row.get("median_us") is not None or row.get("measured") is not None
            or row["kind"] == "machine"]


def main():
    parent = tempfile.mkdtemp(prefix="cuseq-kit-")
    try:
        packed = os.path.join(parent, "packed", "gpu-kit")
        size, _, _ = pack.pack(os.path.abspath(sys.argv[1]), packed, pack.MOST_MB)
        kit = os.path.join(parent, "elsewhere", "gpu-kit")
        os.makedirs(os.path.dirname(kit))
        shutil.move(packed, kit)
        variables = {"PATH": "/usr/bin:/bin", "HOME": parent}
        done = subprocess.run([os.path.join(kit, "run"), "--emulated"], cwd="/", env=variables, check=False)
        if done.returncode != 0:
            fail(f"the run ends with status {done.returncode}; its last words are above")
        left = outside(kit)
        if left:
            fail(f"{left[0]} ({len(left)} such)")
        results = os.path.join(kit, "results")
        steps = state_of(results)["steps"]
        bad = [step for step in steps if step["status"] != "done"]
        if len(steps) != 5 or bad:
            fail(f"{(bad or steps)[0]}")
        stored = times(results)
        if stored or os.path.exists(os.path.join(results, "gpu.json")):
            fail(f"a time of an emulated device is stored: {stored[:1]}")
        print(f"test-gpu-kit: {size / 1e6:.1f} MB, run to its end elsewhere")
    finally:
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    main()
