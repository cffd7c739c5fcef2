"""Packs the kit that tests and measures cuseq on a GPU elsewhere: pack.py BUILD FOLDER [--most MB]

BUILD is a build with tests, benchmarks, the CUDA module and the emulated device. FOLDER appears whole or not at all."""

import argparse
import glob
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import choice
import elf

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bench", "machine"))
import table as machine_table  # noqa: E402  it lies there

PROGRAMS = ("bench/bench_device", "bench/bench_gpu", "bench/bench_gpu_published", "bench/bench_counters", "bench/bench_structures")
LIBRARIES = ("libcuseq.so.*.*.*", "libcuseq_cuda.so")
EMULATED = ("libcudart.so.13", "libcublas.so.13")
OTHERS = ("libcublas", "libcudnn", "libcuda.so", "libnvrtc")  # of NVIDIA's, large or the machine's own
# Files of the repository that programs and scripts read, by their paths in it.
READ = ("models/dates.safetensors", "tests/golden/models/*", "bench/gpu/torch_model.py", "bench/gpu/torch_peer.py",
        "bench/frameworks/torch_published.py", "bench/frameworks/workload.py")
# What many programs have in common - the kernels - lies farther apart than any usual window: this one holds them all.
WINDOW = 1 << 29
MOST_MB = 60


class Bad(Exception):
    """The kit cannot be packed; one line says why."""


def found(build, names):
    paths = []
    for name in names:
        matches = sorted(path for path in glob.glob(os.path.join(build, name)) if not os.path.islink(path))
        if not matches:
            raise Bad(f"{os.path.join(build, name)}: it is not there (the build has no CUDA backend, or no tests)")
        paths += matches
    return paths


def architectures(build):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        cached = re.search(r"^CUSEQ_CUDA_ARCHITECTURES:\w+=(.*)$", file.read(), re.MULTILINE)
    if not cached:
        raise Bad(f"{build}: its CMakeCache.txt has no CUSEQ_CUDA_ARCHITECTURES")
    return sorted(int(one) for one in cached[1].split(";"))


def place(path, folder):
    """A copy that looks for its libraries beside itself."""
    os.makedirs(folder, exist_ok=True)
    made = os.path.join(folder, os.path.basename(path))
    shutil.copyfile(os.path.realpath(path), made)
    shutil.copymode(os.path.realpath(path), made)
    if elf.is_elf(made):
        elf.set_search_path(made, "$ORIGIN")
        left = elf.absolute_paths(made)
        if left:
            raise Bad(f"{path}: it looks for libraries in {left[0]}")


def link_names(folder):
    """The names by which libcuseq.so.0.1.0 is asked for."""
    for path in glob.glob(os.path.join(folder, "libcuseq.so.*.*.*")):
        os.symlink(os.path.basename(path), path.rsplit(".", 1)[0])


def runtime_folder(build):
    """Where the build's CUDA runtime lies."""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        cached = re.search(r"^CUSEQ_CUDART:\w+=(.*)$", file.read(), re.MULTILINE)
    return os.path.dirname(cached[1]) if cached else ""


def place_libraries(folder, sources, emulator, runtime):
    """What the programs ask for and an Ubuntu with nvcc has not got."""
    variables = {**os.environ, "LD_LIBRARY_PATH": runtime}
    named = {os.path.basename(path) for path in sources} | set(EMULATED)
    missing = set()
    for path in sources:
        for name, where in elf.needed(path, variables).items():
            if name in named and name not in EMULATED or name.startswith("libcuseq") or name.startswith(OTHERS):
                continue
            if where is None:
                missing.add(f"{name} (of {os.path.basename(path)})")
            elif not os.path.exists(os.path.join(folder, name)):
                place(where, folder)
                if os.path.basename(os.path.realpath(where)) != name:
                    os.replace(os.path.join(folder, os.path.basename(where)), os.path.join(folder, name))
    if missing:
        raise Bad(f"{sorted(missing)[0]}: it is not on this machine")
    for name in EMULATED:
        place(os.path.join(emulator, name), os.path.join(os.path.dirname(folder), "emulator"))
        for other, where in elf.needed(os.path.join(emulator, name)).items():
            if where and other not in EMULATED:
                place(where, os.path.join(os.path.dirname(folder), "emulator"))


def commit():
    done = subprocess.run([os.path.join(ROOT, "bench", "results", "commit.sh")], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def stage(build, folder, files):
    """Everything that the archive holds, in `folder`."""
    binaries = os.path.join(folder, "bin")
    sources = sorted(set(files) | set(found(build, PROGRAMS)) | set(found(build, LIBRARIES)))
    for path in sources:
        place(path, binaries)
    link_names(binaries)
    place_libraries(binaries, sources, os.path.join(build, "emulator"), runtime_folder(build))
    for pattern in READ:
        for path in glob.glob(os.path.join(ROOT, pattern)):
            made = os.path.join(folder, os.path.relpath(path, ROOT))
            os.makedirs(os.path.dirname(made), exist_ok=True)
            shutil.copy(path, made)
    os.makedirs(os.path.join(folder, "bench", "results"))
    script = os.path.join(folder, "bench", "results", "commit.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\necho {commit()}\n")
    os.chmod(script, 0o755)


def plain(entry):
    """No names, numbers or times of this machine."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def archive(folder, path):
    """All of it, the programs by size, so that what they have in common is near."""
    files = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        files += [os.path.join(where, name) for name in sorted(names)]
    files.sort(key=lambda one: (os.path.islink(one), -os.path.getsize(one) if not os.path.islink(one) else 0, one))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": WINDOW}]
    with lzma.open(path, "wb", format=lzma.FORMAT_XZ, filters=filters) as packed, tarfile.open(fileobj=packed, mode="w") as file:
        for one in files:
            file.add(one, os.path.relpath(one, folder), filter=plain)


def estimates(entries):
    """Each with the cycles that bench/machine/table.md has of it, by architecture."""
    kept = machine_table.kept(machine_table.kept_text())
    for entry in entries:
        entry["cycles"] = {str(sm): float(figures["cycles"]) for (kernel, sm, loop), figures in kept.items()
                           if kernel == entry["kernel"] and loop == "time step" and figures["cycles"] != "-"}
        if not entry["cycles"]:
            raise Bad(f"{entry['kernel']}: bench/machine/table.md has no time step of it")
    return entries


def described(build):
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
        version = re.search(r"project\(cuseq VERSION ([\d.]+)", file.read())[1]
    return {"version": version, "commit": commit(), "architectures": architectures(build), "project": "cuseq's repository, as an issue"}


def size_of(folder):
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(folder) for name in names)


def write_json(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def pack(build, out, most):
    with open(os.path.join(HERE, "commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    short = commands.pop("short_tests")
    commands["tests"], files = choice.tests(build, short)
    commands["estimates"] = estimates(commands["estimates"])
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    part = tempfile.mkdtemp(prefix=os.path.basename(out) + ".", dir=os.path.dirname(os.path.abspath(out)))
    try:
        staged, kit = os.path.join(part, "staged"), os.path.join(part, "kit")
        stage(build, staged, files)
        shutil.copytree(os.path.join(HERE, "inside"), kit, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.join(ROOT, "docs", "gpu-kit.md"), os.path.join(kit, "README.md"))
        shutil.copy(os.path.join(ROOT, "LICENSE"), kit)
        archive(staged, os.path.join(kit, "payload.tar.xz"))
        write_json(os.path.join(kit, "kit.json"), described(build))
        write_json(os.path.join(kit, "commands.json"), commands)
        size = size_of(kit)
        if size > most * 1e6:
            raise Bad(f"{out}: it would be {size / 1e6:.0f} MB (needed at most {most})")
        if os.path.isdir(out):
            shutil.rmtree(out)  # an earlier kit: main() has looked
        os.rename(kit, out)
        return size, size_of(staged), len(commands["tests"])
    finally:
        shutil.rmtree(part, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="./run gpu-kit", description="Packs what tests and measures cuseq on a GPU elsewhere.")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("folder", metavar="DIR", help="what is made: a folder to copy to a machine with a GPU")
    parser.add_argument("--most", type=float, default=MOST_MB, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    if os.path.exists(folder) and not os.path.exists(os.path.join(folder, "kit.json")) and (
            not os.path.isdir(folder) or os.listdir(folder)):
        print(f"gpu-kit: {options.folder}: it is there already and no kit", file=sys.stderr)
        return 2
    if glob.glob(os.path.join(folder, "results*")):
        print(f"gpu-kit: {options.folder}: it has results of a run; move them away first", file=sys.stderr)
        return 2
    try:
        size, unpacked, tests = pack(os.path.abspath(options.build), folder, options.most)
    except (Bad, choice.Bad, elf.Bad) as bad:
        print(f"gpu-kit: {bad}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"gpu-kit: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"gpu-kit: {options.folder}: {size / 1e6:.1f} MB, {unpacked / 1e6:.0f} MB unpacked, {tests} tests; "
          f"copy it to a machine with a GPU and run {options.folder}/run there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
