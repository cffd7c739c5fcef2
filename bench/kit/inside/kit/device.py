"""The device, what the kit has for it, and where NVIDIA's libraries and tools lie."""

import glob
import json
import os
import shutil
import subprocess
import sys

WANTED = ("libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9", "libnvrtc.so.13")
TOOLKITS = ("/usr/local/cuda/lib64", "/usr/local/cuda-13*/lib64", "/usr/local/cuda-13*/targets/*/lib")
TOOLS = ("/usr/local/cuda/bin", "/usr/local/cuda-1*/bin", "/opt/nvidia/nsight-compute/*", "/opt/nvidia/nsight-systems/*/bin")
PROBE_LIMIT = 60


class Refused(Exception):
    """There is nothing to run on; one line says why."""


def library_folders():
    """Folders with a library that the kit does not bring: of the toolkit, and of Python's packages."""
    found = []
    packages = [os.path.join(path, "nvidia", "*", "lib") for path in sys.path if path]
    for pattern in (*TOOLKITS, *packages):
        for folder in sorted(glob.glob(pattern)):
            has = any(os.path.exists(os.path.join(folder, name)) for name in WANTED)
            if has and folder not in found:
                found.append(folder)
    return found


def tool(name):
    """The path of one of NVIDIA's tools, or None."""
    folders = [os.environ.get("PATH", "")]
    for pattern in TOOLS:
        folders += sorted(glob.glob(pattern), reverse=True)
    return shutil.which(name, path=os.pathsep.join(folders))


def environment(root, emulated):
    """The variables of the kit's programs. PyTorch's process keeps the caller's libraries."""
    made = dict(os.environ)
    theirs = made.get("LD_LIBRARY_PATH", "")
    folders = [os.path.join(root, "emulator")] if emulated else []
    folders += [os.path.join(root, "bin"), *([] if emulated else library_folders()), *theirs.split(os.pathsep)]
    made["LD_LIBRARY_PATH"] = os.pathsep.join(folder for folder in folders if folder)
    made["CUSEQ_BENCH_TORCH_LIBRARY_PATH"] = theirs
    made["PATH"] = made.get("PATH", "/usr/bin:/bin")
    for name in ("CUSEQ_CUDA_PLAN", "CUSEQ_BENCH_STAND_INS", "CUSEQ_EMULATOR_COUNTERS", "CUSEQ_EMULATOR_TABLE"):
        made.pop(name, None)
    return made


def text_of(capability):
    return f"{capability // 10}.{capability % 10}"


def find(root, variables, architectures):
    """What bench_device says of device 0. Refused where there is none, or the kit has no code for it."""
    program = os.path.join(root, "bin", "bench_device")
    try:
        done = subprocess.run([program], capture_output=True, text=True, timeout=PROBE_LIMIT, env=variables,
                              stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"the GPU does not answer ({PROBE_LIMIT} s)") from None
    except OSError as error:
        raise Refused(f"{program}: it does not start ({error.strerror})") from None
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["it says nothing"]
    if done.returncode != 0:
        raise Refused(said[-1].split(": ", 1)[-1] if "bench_device: " in said[-1] else said[-1])
    try:
        device = json.loads(done.stdout)
        name, capability = device["name"], int(device["capability"])
    except (ValueError, KeyError):
        raise Refused(f"{program}: its answer makes no sense") from None
    if capability < min(architectures):
        known = ", ".join(text_of(one) for one in architectures)
        raise Refused(f"{name}: the kit has no code for compute capability {text_of(capability)} "
                      f"(it has for {known}, and newer ones by PTX)")
    return device
