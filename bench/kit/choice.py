"""Which of CTest's tests the kit has, and how they are called there."""

import json
import os
import subprocess

import elf

OURS = "CUSEQ_EMULATOR_"
USUAL = ("90", None)  # the emulated device's architecture that all others are variants of


class Bad(Exception):
    """A test that the kit cannot have."""


def listed(build):
    """CTest's own list of the CUDA tests."""
    done = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", "-L", "cuda"], capture_output=True, text=True,
                          check=False)
    found = json.loads(done.stdout)["tests"] if done.returncode == 0 else []
    if not found:
        raise Bad(f"{build}: it is no build with CUDA tests")
    return found


def properties(test):
    return {one["name"]: one["value"] for one in test.get("properties", [])}


def environment(test):
    pairs = [one.split("=", 1) for one in properties(test).get("ENVIRONMENT", [])]
    return {name: value for name, value in pairs}


def is_device_test(test, build):
    """Whether it is a program of the build's that runs on a device as such: no script, no variant of the emulated device, none that
    takes hours."""
    command, variables = test.get("command") or [""], environment(test)
    return (os.path.realpath(command[0]).startswith(os.path.realpath(build) + os.sep) and elf.is_elf(command[0])
            and "long" not in properties(test).get("LABELS", []) and "LD_PRELOAD" not in variables
            and "LD_LIBRARY_PATH" in variables and variables.get("CUSEQ_EMULATOR_SM") in USUAL
            and not any(name.startswith(OURS) and name not in ("CUSEQ_EMULATOR_SM", "CUSEQ_EMULATOR_SEED") for name in variables))


def moved(text, build, files):
    """A word of a command without the build's folder: files of it go with the kit, in bin/."""
    if not text.startswith(build + os.sep):
        return text
    if not os.path.isfile(text):
        raise Bad(f"{text}: a test needs it, and it is no file of the build")
    files.add(text)
    return os.path.join("bin", os.path.basename(text))


def tests(build, short):
    """(entries for the kit, files of the build that they need). Tests that differ in settings of the emulated device alone are one."""
    made, files, seen = [], set(), set()
    for test in listed(build):
        if not is_device_test(test, build):
            continue
        program = test["command"][0]
        files.add(program)
        command = [os.path.basename(program)] + [moved(word, build, files) for word in test["command"][1:]]
        kept = {name: moved(value, build, files) for name, value in environment(test).items()
                if not name.startswith(OURS) and name != "LD_LIBRARY_PATH"}
        key = json.dumps([command, kept], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        made.append({"name": test["name"], "command": command, "environment": kept, "short": test["name"] in short})
    missing = sorted(set(short) - {one["name"] for one in made if one["short"]})
    if missing:
        raise Bad(f"{missing[0]}: commands.json calls it short, and there is no such test")
    return made, files
