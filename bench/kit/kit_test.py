"""The kit's script by stand-ins: no GPU, no build, no network, seconds. The whole kit on the emulated device is whole_test.py's."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "inside"))
sys.path.insert(0, os.path.join(HERE, "..", "charts"))

import results  # noqa: E402  the charts' own check of gpu.json
from kit import process, state, verdicts  # noqa: E402

DEVICE = {"name": "NVIDIA H200", "versions": "driver for CUDA 13.0, runtime 13.0", "clocks": "580.1, 1980 MHz", "capability": 90,
          "multiprocessors": 132, "emulated": False}
FAR = 60.0


def rows(**times):
    return [{"kind": "time", "workload": name.replace("_", " "), "system": "cuseq", "threads": 1, "T": 100, "median_us": us,
             "low_us": us, "high_us": us} for name, us in times.items()]


def written(path, text, runs=True):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if runs:
        os.chmod(path, 0o755)


def lives(process_id):
    try:
        with open(f"/proc/{process_id}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def script(body):
    return "#!/bin/sh\n" + body + "\n"


def json_of(rows_):
    return json.dumps({"bench": "gpu", "machine": "a stand-in: a GPU", "versions": {"cuseq": "0"}, "date": "2000-01-01 00:00 UTC",
                       "commit": "0", "command": "x", "rounds": 3, "rows": rows_})


class Kit:
    """A kit of scripts in a folder of its own, and what its run says."""

    def __init__(self, folder, device=None, **programs):
        self.folder = os.path.join(folder, "gpu-kit")
        shutil.copytree(os.path.join(HERE, "inside"), self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        answer = json.dumps(device or DEVICE)
        staged = os.path.join(folder, "staged")
        made = {"bench_device": f"echo '{answer}'", "passes": "exit 0", "skips": "echo nothing here; exit 77", "fails": "echo bad >&2; exit 5",
                "hangs": "sleep 100", "dies": "kill -9 $$", "other": "echo no kernel image is available >&2; exit 1",
                "bench_good": self.bench(rows(W4=900.0, W8=100.0)), **programs}
        for name, body in made.items():
            written(os.path.join(staged, "bin", name), script(body))
        os.makedirs(os.path.join(staged, "emulator"), exist_ok=True)
        with tarfile.open(os.path.join(self.folder, "payload.tar.xz"), "w:xz") as file:
            for name in os.listdir(staged):
                file.add(os.path.join(staged, name), name)
        self.write("kit", {"version": "0", "commit": "abc", "architectures": [75, 90], "project": "the project"})
        self.commands = {"tests": [], "sanitizer": [], "benchmarks": [], "short_benchmarks": [], "ncu": [], "nsys": [], "estimates": []}
        self.tools = os.path.join(folder, "tools")
        os.makedirs(self.tools)

    @staticmethod
    def bench(found, end="exit 0"):
        """A benchmark that writes rows where --json says."""
        return (f"while [ $# -gt 1 ]; do [ \"$1\" = --json ] && json=$2; shift; done\n"
                f"cat > \"$json\" <<'JSON'\n{json_of(found)}\nJSON\n{end}")

    def write(self, name, data):
        with open(os.path.join(self.folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(data, file)

    def tests(self, *names):
        self.commands["tests"] = [{"name": f"test {name}", "command": [name], "environment": {}, "short": False} for name in names]

    def tool(self, name, body):
        written(os.path.join(self.tools, name), script(body))

    def run(self, *arguments):
        """(exit status, lines said)."""
        self.write("commands", self.commands)
        variables = {**os.environ, "PATH": self.tools + ":/usr/bin:/bin"}
        done = subprocess.run([sys.executable, os.path.join(self.folder, "run"), *arguments], capture_output=True, text=True,
                              timeout=FAR, env=variables, cwd="/", check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def step(self, name):
        found = state.read_json(os.path.join(self.folder, "results", "steps.json"))["steps"]
        return next(step for step in found if step["step"] == name)

    def page(self):
        with open(os.path.join(self.folder, "results", "verdicts.md"), encoding="utf-8") as file:
            return file.read()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, True)

    def kit(self, device=None, **programs):
        return Kit(self.folder, device, **programs)


class Processes(Case):
    def go(self, body, limit=FAR):
        path = os.path.join(self.folder, "program")
        written(path, script(body))
        return process.run([path], limit, os.path.join(self.folder, "log", "text"), self.folder, dict(os.environ))

    def test_a_command_that_takes_too_long_is_ended_with_all_that_it_began(self):
        outcome = self.go(f"sleep 100 & echo $! > {self.folder}/child; echo begun; wait", 2.0)
        self.assertIn("out of time", outcome.reason)
        self.assertEqual(outcome.text, "begun\n")
        with open(os.path.join(self.folder, "child"), encoding="utf-8") as file:
            child = int(file.read())
        until = time.monotonic() + FAR  # a process that has been killed may take a moment to die
        while lives(child) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertFalse(lives(child))

    def test_a_command_that_is_killed_is_told_so(self):
        outcome = self.go("kill -9 $$")
        self.assertEqual(outcome.reason, "it was killed by signal 9")
        self.assertFalse(outcome.good)

    def test_a_command_that_is_not_there_is_told_in_a_line(self):
        outcome = process.run([os.path.join(self.folder, "nothing")], FAR, os.path.join(self.folder, "log"), self.folder, {})
        self.assertEqual(outcome.reason, "nothing does not start (No such file or directory)")

    def test_a_full_disk_is_an_error_of_its_own(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with self.assertRaises(process.Full):
            state.os.replace, kept = (lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))), state.os.replace
            try:
                state.write(os.path.join(self.folder, "file"), "text")
            finally:
                state.os.replace = kept
        self.assertEqual(os.listdir(self.folder), [])


class Verdicts(unittest.TestCase):
    goals = state.read_json(os.path.join(HERE, "inside", "goals.json"))

    def found(self, rows_, gpu="NVIDIA H200"):
        return {row["target"]: row for row in verdicts.targets(self.goals, rows_, gpu)}

    def goal(self, rows_, begin, gpu="NVIDIA H200"):
        return next(row for target, row in self.found(rows_, gpu).items() if target.startswith(begin))

    def test_a_time_at_its_bound_reaches_it_and_one_above_does_not(self):
        self.assertIs(self.goal(rows(W4=1000.0), "W4")["reached"], True)
        self.assertIs(self.goal(rows(W4=1000.1), "W4")["reached"], False)

    def test_another_gpu_has_its_own_bound(self):
        self.assertIs(self.goal(rows(W4=3000.0), "W4", "NVIDIA A100-SXM4-80GB")["reached"], True)

    def test_a_gpu_without_goals_has_a_figure_and_no_verdict(self):
        row = self.goal(rows(W4=3000.0), "W4", "NVIDIA GeForce RTX 4090")
        self.assertIsNone(row["reached"])
        self.assertIn("no goal for this GPU", row["found"])

    def test_what_was_not_measured_is_neither_reached_nor_missed(self):
        row = self.goal([{**rows(W4=1.0)[0], "median_us": None}], "W4")
        self.assertEqual((row["reached"], row["found"]), (None, "not measured"))

    def test_a_step_is_a_call_over_its_positions(self):
        self.assertIs(self.goal(rows(forward_H40=60.0), "small H")["reached"], True)
        self.assertIs(self.goal(rows(forward_H40=61.0), "small H")["reached"], False)

    def test_a_ratio_is_the_peers_time_over_ours(self):
        theirs = {**rows(W8=299.0)[0], "system": "PyTorch"}
        self.assertIs(self.goal(rows(W8=100.0) + [theirs], "W8")["reached"], False)
        self.assertIs(self.goal(rows(W8=100.0) + [{**theirs, "median_us": 300.0}], "W8")["reached"], True)
        self.assertIsNone(self.goal(rows(W8=100.0), "W8")["reached"])

    def test_cycles_of_a_step_are_those_that_more_steps_take_more(self):
        estimates = [{"what": "a", "kernel": "k", "short": "s", "long": "l", "steps": 1000, "cycles": {"80": 400.0, "90": 300.0}}]
        clock = {"kind": "machine", "what": "clock of a busy SM", "value": 2000.0, "unit": "MHz"}
        row = verdicts.cycles(estimates, rows(s=20.0, l=220.0) + [clock], 90)[0]
        self.assertEqual((row["estimated"], row["measured"]), (300.0, 400.0))
        self.assertEqual(verdicts.cycles(estimates, [clock], 89)[0]["estimated"], 400.0)
        self.assertIsNone(verdicts.cycles(estimates, rows(s=20.0, l=220.0), 90)[0]["measured"])


class Runs(Case):
    def test_results_of_a_whole_run_are_a_page_and_a_file_that_the_charts_take(self):
        kit = self.kit()
        kit.tests("passes", "skips", "other")
        kit.commands["benchmarks"] = [{"title": "models", "command": ["bench_good"], "limit": 20}]
        status, said = kit.run()
        self.assertEqual(status, 0, said)
        self.assertEqual(kit.step("tests")["line"], "1 passed, 1 skipped, 1 no code")
        page = kit.page()
        self.assertRegex(page, r"W4, .*at most 1,000 us \| 900 us \| reached")
        data = state.read_json(os.path.join(kit.folder, "results", "gpu.json"))
        results.check(data, "gpu")
        self.assertEqual(data["commit"], "abc")
        for name in ("sanitizer", "ncu", "nsys"):
            self.assertEqual(kit.step(name)["status"], "missing")
        self.assertNotIn(self.folder, page)

    def test_a_test_that_fails_hangs_or_dies_leaves_the_others_and_is_named(self):
        kit = self.kit()
        kit.tests("passes", "fails", "hangs", "dies")
        kit.commands["tests"][2]["limit"] = 1
        status, said = kit.run("--step", "tests")
        self.assertEqual(status, 1, said)
        line = kit.step("tests")["line"]
        self.assertRegex(line, r"^1 passed, 2 failed, 1 late: ")
        self.assertIn("test dies", line)
        found = {one["test"]: one for one in state.read_json(os.path.join(kit.folder, "results", "tests.json"))}
        self.assertEqual(found["test fails"]["line"], "exit status 5: bad")
        self.assertEqual(found["test dies"]["line"], "it was killed by signal 9")
        self.assertTrue(os.path.exists(os.path.join(kit.folder, "results", "tests", "test fails.txt")))

    def test_a_benchmark_that_is_ended_leaves_what_it_has_measured(self):
        kit = self.kit(bench_slow=Kit.bench(rows(W4=1234.0), "sleep 100"), bench_wrong="echo bench_gpu: W1: wrong answers >&2; exit 1")
        kit.commands["benchmarks"] = [{"title": "slow", "command": ["bench_slow"], "limit": 4},
                                      {"title": "good", "command": ["bench_good"], "limit": 20},
                                      {"title": "wrong", "command": ["bench_wrong"], "limit": 20}]
        status, said = kit.run("--step", "benchmarks")
        self.assertEqual(status, 1, said)
        self.assertRegex(kit.step("benchmarks")["line"], "1 of 3 groups; slow: out of time after 4 s; wrong: bench_gpu: W1: wrong answers")
        self.assertIn("1,234 us | **not reached**", kit.page())

    def test_a_missing_library_is_named(self):
        kit = self.kit(bench_unlinked="echo 'x: error while loading shared libraries: libcublas.so.13: cannot open' >&2; exit 127")
        kit.commands["benchmarks"] = [{"title": "models", "command": ["bench_unlinked"], "limit": 20}]
        kit.run("--step", "benchmarks")
        self.assertIn("models: libcublas.so.13 is not on this machine", kit.step("benchmarks")["line"])

    def test_a_tool_that_is_there_is_used_and_one_that_finds_something_is_told(self):
        kit = self.kit()
        kit.tool("compute-sanitizer", 'while [ "${1#*/}" = "$1" ]; do shift; done; case $1 in */fails) exit 9 ;; esac; exec "$@"')
        kit.commands["sanitizer"] = [{"title": "one", "tool": "memcheck", "command": ["passes"]},
                                     {"title": "two", "tool": "racecheck", "command": ["fails"]}]
        kit.run("--step", "sanitizer")
        self.assertEqual(kit.step("sanitizer")["status"], "part")
        self.assertIn("1 of 2 without a finding; two: exit status 9", kit.step("sanitizer")["line"])

    def test_counters_that_may_not_be_read_are_told_once(self):
        kit = self.kit()
        kit.tool("ncu", "echo '==ERROR== ERR_NVGPUCTRPERM - The user does not have permission'; exit 1")
        kit.commands["ncu"] = [{"title": str(n), "kernel": "k", "command": ["passes"]} for n in range(3)]
        kit.run("--step", "ncu")
        self.assertEqual(kit.step("ncu")["status"], "missing")
        self.assertIn("may not read the GPU's counters", kit.step("ncu")["line"])
        self.assertEqual(os.listdir(os.path.join(kit.folder, "results", "ncu")), ["0.txt"])

    def test_a_report_that_was_not_made_is_named(self):
        kit = self.kit()
        kit.tool("ncu", 'while [ "$1" != --export ]; do shift; done; case $2 in *made) : > "$2.ncu-rep" ;; esac')
        kit.commands["ncu"] = [{"title": title, "kernel": "k", "command": ["passes"]} for title in ("made", "missed")]
        kit.run("--step", "ncu")
        self.assertIn("no report of missed", kit.step("ncu")["line"])

    def test_on_an_emulated_device_no_time_is_stored_or_printed(self):
        kit = self.kit({**DEVICE, "name": "emulated sm_90", "emulated": True}, bench_none=Kit.bench(
            [{**rows(W4=1.0)[0], "median_us": None, "reason": "an emulated device has counters and no times"}]))
        kit.commands["short_benchmarks"] = [{"title": "models", "command": ["bench_none"], "limit": 20}]
        kit.commands["sanitizer"] = [{"title": "one", "tool": "memcheck", "command": ["hangs"], "short": ["passes"]}]
        status, said = kit.run()
        self.assertEqual(status, 0, said)
        self.assertIn("an emulated device: short sizes, and no times", said[0])
        self.assertFalse(os.path.exists(os.path.join(kit.folder, "results", "gpu.json")))
        self.assertIn("run without the tool", kit.step("sanitizer")["line"])
        self.assertIn("An emulated device", kit.page())
        self.assertNotIn("reached |", kit.page().replace("not measured | -", ""))

    def test_results_of_an_earlier_run_are_kept(self):
        kit = self.kit()
        kit.tests("passes")
        for _ in range(3):
            self.assertEqual(kit.run("--step", "tests")[0], 0)
        self.assertEqual(sorted(name for name in os.listdir(kit.folder) if name.startswith("results")),
                         ["results", "results.1", "results.2"])

    def test_without_a_gpu_there_is_one_line(self):
        kit = self.kit(bench_device="echo 'bench_device: there is no NVIDIA GPU to measure (no NVIDIA driver is installed)' >&2; exit 2")
        self.assertEqual(kit.run(), (2, ["gpu-kit: there is no NVIDIA GPU to measure (no NVIDIA driver is installed)"]))
        self.assertFalse(os.path.exists(os.path.join(kit.folder, "results")))

    def test_a_gpu_that_the_kit_has_no_code_for_is_one_line(self):
        kit = self.kit({**DEVICE, "name": "Tesla V100", "capability": 70})
        self.assertEqual(kit.run(), (2, ["gpu-kit: Tesla V100: the kit has no code for compute capability 7.0 (it has for 7.5, 9.0, "
                                         "and newer ones by PTX)"]))

    def test_a_broken_archive_is_one_line_and_leaves_nothing(self):
        kit = self.kit()
        with open(os.path.join(kit.folder, "payload.tar.xz"), "r+b") as file:
            file.truncate(100)
        status, said = kit.run()
        self.assertEqual((status, len(said)), (2, 1), said)
        self.assertIn("it cannot be unpacked", said[0])
        self.assertFalse(os.path.exists(os.path.join(kit.folder, "unpacked")))

    def test_a_folder_that_cannot_be_written_is_one_line(self):
        kit = self.kit()
        blocked = os.path.join(self.folder, "blocked")
        written(blocked, "", runs=False)
        status, said = kit.run("--results", os.path.join(blocked, "results"))
        self.assertEqual((status, len([line for line in said if line.startswith("gpu-kit: ")])), (2, 1), said)


class Packing(unittest.TestCase):
    def test_commands_name_what_the_script_knows(self):
        commands = state.read_json(os.path.join(HERE, "commands.json"))
        self.assertEqual(len(commands["sanitizer"]), 12)
        self.assertEqual(len(commands["ncu"]), 8)
        for group in ("sanitizer", "ncu", "nsys", "benchmarks", "short_benchmarks"):
            titles = [entry["title"] for entry in commands[group]]
            self.assertEqual(len(titles), len(set(titles)))

    def test_the_limits_of_all_steps_are_below_eight_minutes(self):
        from kit import main
        self.assertLess(sum(limit for _, _, limit in main.STEPS), main.LIMIT)
        self.assertLess(main.LIMIT, 480)

    def test_what_cannot_be_packed_is_one_line_and_what_is_there_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("theirs", "kit/results", "build"):
                os.makedirs(os.path.join(folder, name))
            for name in ("theirs/file", "kit/kit.json", "kit/results/gpu.json"):
                written(os.path.join(folder, name), "{}", runs=False)
            for target, why in (("theirs", "it is there already and no kit"), ("kit", "it has results of a run"),
                                ("new", "it is no build with CUDA tests")):
                done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "pack.py"), os.path.join(folder, "build"),
                                       os.path.join(folder, target)], capture_output=True, text=True, check=False)
                said = done.stderr.splitlines()
                self.assertEqual((done.returncode, len(said)), (2, 1), said)
                self.assertIn(why, said[0])
            self.assertTrue(os.path.exists(os.path.join(folder, "kit", "results", "gpu.json")))
            self.assertFalse(os.path.exists(os.path.join(folder, "new")))

    def test_a_search_path_is_set_in_its_place(self):
        sys.path.insert(0, HERE)
        import elf
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "python")
            shutil.copy(os.path.realpath(sys.executable), path)
            elf.set_search_path(path, "$ORIGIN")
            self.assertEqual(elf.absolute_paths(path), [])
            self.assertTrue(os.stat(path).st_mode & stat.S_IXUSR)


if __name__ == "__main__":
    unittest.main()
