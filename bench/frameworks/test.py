"""test.py BUILD_DIR: what of the comparison can be tested without packages and without a clock."""

import json
import math
import subprocess
import sys
import tempfile
import unittest
from array import array
from pathlib import Path

from measure import Cell, measure, open_all, wanted, worst_error
from peers import OURS, OURS_BF16, Peer, all_peers
from report import start_lines, time_lines, write_json
from start import Program, Start, measure_starts
from verdict import best_peer, verdicts

BUILD = Path(sys.argv.pop(1)).resolve()
PROGRAMS = BUILD / "bench"
SMALL = ("W1", "W2 B1", "W2 B32")
PUBLISHED = ("W5 B1", "W7 B1", "W9 B1")
BF16 = ("W3",)


def cell(workload: str, system: str, threads: int, *times: float, reason: str | None = None) -> Cell:
    """A cell with these times."""
    return Cell(workload, system, threads, list(times), 1e-7, 3e-6, reason)


class Workers(unittest.TestCase):
    """The workers that need nothing but cuseq, on the workloads that the build wrote."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = Path(cls.folder.name)
        subprocess.run([str(PROGRAMS / "bench_frameworks_data"), str(cls.data), *SMALL, *PUBLISHED, *BF16], check=True)
        cls.peers = {peer.system: peer for peer in all_peers(PROGRAMS, cls.data / "nothing")}

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def open(
        self, *systems: str, threads: int = 1, workloads: tuple[str, ...] = SMALL
    ) -> tuple[list[Cell], dict]:
        """Cells and workers of some systems."""
        cells, workers = open_all(
            [self.peers[name] for name in systems], self.data, threads, workloads, self.data / "log", {}
        )
        self.addCleanup(lambda: [worker.close() for worker in workers.values()])
        return cells, workers

    def test_cuseq_and_textbook_agree_with_the_reference(self) -> None:
        for threads in (1, 2):
            cells, _ = self.open(OURS, "textbook C", threads=threads)
            self.assertEqual(len(cells), 2 * len(SMALL))
            for one in cells:
                self.assertIsNone(one.reason, f"{one.system}, {one.workload}: {one.reason}")
                self.assertLess(one.error, one.allowed)

    def test_cuseq_agrees_with_the_reference_on_published_models(self) -> None:
        cells, _ = self.open(OURS, workloads=PUBLISHED)
        self.assertEqual([one.workload for one in cells], list(PUBLISHED))
        for one in cells:
            self.assertIsNone(one.reason, f"{one.workload}: {one.reason}")

    def test_cuseq_in_bf16_is_judged_by_what_bf16_may_err(self) -> None:
        cells, _ = self.open(OURS_BF16, workloads=BF16)
        if "no precision bf16" in (self.data / "log").read_text():
            self.skipTest("this processor lacks AVX-512 BF16")
        self.assertIsNone(cells[0].reason)
        self.assertLess(cells[0].error, cells[0].allowed)
        self.assertGreater(cells[0].error, 1e-4)

    def test_a_token_that_differs_is_a_wrong_result(self) -> None:
        reference = self.data / "W9 B1" / "reference"
        kept = reference.read_bytes()
        self.addCleanup(reference.write_bytes, kept)
        values = array("f", kept)
        values[0] += 1.0
        reference.write_bytes(values.tobytes())
        cells, _ = self.open(OURS, workloads=("W9 B1",))
        self.assertIn("wrong results: tokens", cells[0].reason)

    def test_published_models_are_verified_on_two_threads(self) -> None:
        cells, workers = self.open(OURS, threads=2, workloads=PUBLISHED)
        self.assertEqual(list(workers), [OURS])
        self.assertEqual({one.workload for one in cells}, set(PUBLISHED))
        for one in cells:
            self.assertEqual((one.threads, one.reason), (2, None), one.workload)

    def test_a_peer_that_is_not_installed_has_a_reason_and_the_others_are_timed(self) -> None:
        cells, workers = self.open(OURS, "oneDNN 3.2 OpenMP", "Keras XLA")
        self.assertEqual(list(workers), [OURS])
        self.assertEqual(list(measure(cells, workers, 2)), [0, 1])
        for one in cells:
            self.assertEqual(len(one.times), 2 if one.system == OURS else 0)
            self.assertEqual("not installed" in (one.reason or ""), one.system != OURS)

    def test_a_peer_that_answers_wrongly_is_named_and_not_timed(self) -> None:
        reference = self.data / "W1" / "reference"
        kept = reference.read_bytes()
        self.addCleanup(reference.write_bytes, kept)
        values = array("f", kept)
        values[len(values) // 2] += 1e-4
        reference.write_bytes(values.tobytes())
        cells, _ = self.open("textbook C")
        self.assertIn("wrong results", cells[0].reason)
        self.assertFalse(wanted(cells[0], 5))
        self.assertIsNone(cells[1].reason)

    def test_a_peer_that_dies_has_a_reason(self) -> None:
        dead = Peer("dead", ("/bin/sh", "-c", "echo ready dead; exit 1", "sh"), "", "")
        cells, _ = open_all([dead], self.data, 1, SMALL, self.data / "log", {})
        self.assertEqual([one.reason for one in cells], ["died or hung"] * len(SMALL))

    def test_the_answer_and_memory_of_a_fresh_process_are_judged(self) -> None:
        wrong = Program("wrong", ["/bin/echo", "1979-05-04"], "", "1979-05-03", {})
        right = Program("right", ["/bin/echo", "1979-05-03"], "", "1979-05-03", {})
        starts = measure_starts([wrong, right], PROGRAMS / "bench_frameworks_launch", 2, {})
        self.assertIn("no answer", starts[0].reason)
        self.assertEqual(len(starts[1].times), 2)
        self.assertGreater(starts[1].peak_mb, 0.1)


class Judging(unittest.TestCase):
    """Errors, verdicts and the table."""

    def test_nan_and_a_wrong_size_are_infinite_errors(self) -> None:
        want = array("f", [1.0, 2.0])
        self.assertEqual(worst_error(array("f", [1.0]), want), math.inf)
        self.assertEqual(worst_error(array("f", [math.nan, 2.0]), want), math.inf)
        self.assertAlmostEqual(worst_error(array("f", [1.0, 3.0]), want), 0.5)

    def test_two_threads_compare_with_the_best_of_one_and_two(self) -> None:
        cells = [
            cell("W1", OURS, 1, 10.0),
            cell("W1", OURS, 2, 6.0),
            cell("W1", "a", 1, 30.0),
            cell("W1", "a", 2, 90.0),
        ]
        self.assertEqual(best_peer(cells, "W1", 1), (30.0, "a"))
        self.assertEqual(best_peer(cells, "W1", 2), (30.0, "a"))

    def test_targets_are_judged_by_the_worst_case_and_missing_ones_are_not_measured(self) -> None:
        cells = [
            cell("W1", OURS, 1, 10.0),
            cell("W1", "oneDNN 9", 1, 24.0),
            cell("W1", "Keras XLA", 1, reason="not installed"),
            cell("W4", OURS, 1, 10.0),
            cell("W4", "oneDNN 9", 1, 11.0),
            cell("W4", OURS, 2, 10.0),
            cell("W4", "oneDNN 9", 2, 9.0),
        ]
        words = {verdict.target: verdict.word for verdict in verdicts(cells, [])}
        self.assertEqual(words["W1 >= 2.5x the best peer"], "MISSED")
        self.assertEqual(words["W4 >= 1.0x oneDNN"], "MISSED")
        self.assertEqual(words["W1 to W4: at least as fast as the best peer"], "MISSED")
        self.assertEqual(words["W2 >= 2x the best peer"], "not measured")
        self.assertEqual(words["W1 and W2 B1 >= 50x Keras XLA"], "not measured")

    def test_a_published_model_is_judged_by_its_own_peer_for_each_number_of_threads(self) -> None:
        cells = [
            cell("W8", OURS, 1, 10.0),
            cell("W8", "PyTorch eager", 1, 20.0),
            cell("W8", "PyTorch padded", 1, 25.0),
            cell("W8", OURS, 2, 9.0),
            cell("W8", "PyTorch eager", 2, 14.0),
        ]
        words = {verdict.target: verdict.word for verdict in verdicts(cells, [])}
        self.assertEqual(words["W8 >= 1.6x PyTorch eager"], "reached")
        self.assertEqual(words["W8 >= 3x PyTorch padded"], "MISSED")
        self.assertEqual(words["W8, 2 threads >= 1.6x PyTorch eager"], "MISSED")
        self.assertEqual(words["W9 B1, 2 threads >= 4x the best peer"], "not measured")
        self.assertEqual(words["W9 B1 >= 4x the best peer"], "not measured")

    def test_bf16_is_compared_with_its_like_and_with_our_float32(self) -> None:
        cells = [
            cell("W4", OURS, 1, 18.0),
            cell("W4", "PyTorch eager", 1, 20.0),
            cell("W4", OURS_BF16, 1, 9.5),
            cell("W4", "PyTorch bf16", 1, 10.0),
        ]
        found = {verdict.target: verdict for verdict in verdicts(cells, [])}
        self.assertEqual(best_peer(cells, "W4", 1), (20.0, "PyTorch eager"))
        self.assertEqual(best_peer(cells, "W4", 1, bf16=True), (10.0, "PyTorch bf16"))
        self.assertEqual(found["W4 in bf16 >= 1.8x our float32"].found, "1.89x")
        self.assertEqual(found["W4 in bf16 >= 1.8x our float32"].word, "reached")
        self.assertEqual(found["W4 in bf16 >= 1.05x PyTorch bf16"].word, "reached")
        self.assertEqual(found["W10 in bf16 >= 1.7x our float32"].word, "not measured")
        peer = next(line for line in time_lines(cells) if "PyTorch bf16" in line)
        self.assertIn(" 1.05x", peer)

    def test_a_slow_case_is_timed_in_fewer_rounds(self) -> None:
        self.assertTrue(wanted(cell("W4", "a", 1, 9e6, 9e6), 11))
        self.assertFalse(wanted(cell("W4", "a", 1, 9e6, 9e6, 9e6), 11))
        self.assertTrue(wanted(cell("W4", "a", 1, 3e5, 3e5, 3e5), 11))
        self.assertFalse(wanted(cell("W4", "a", 1, 3e5, 3e5, 3e5), 3))

    def test_start_is_judged_by_time_and_memory(self) -> None:
        for milliseconds, megabytes, word in (
            (14.0, 29.0, "reached"),
            (16.0, 29.0, "MISSED"),
            (14.0, 31.0, "MISSED"),
        ):
            found = verdicts([], [Start("cuseq, C", [milliseconds], megabytes)])[-1]
            self.assertEqual(found.word, word)

    def test_table_and_json_say_why_a_figure_is_missing(self) -> None:
        cells = [cell("W1", OURS, 1, 10.0), cell("W1", "Keras XLA", 1, reason="not installed")]
        starts = [Start("Keras XLA", reason="not installed")]
        self.assertTrue(
            any("Keras XLA" in line and "not timed: not installed" in line for line in time_lines(cells))
        )
        self.assertTrue(any("not measured: not installed" in line for line in start_lines(starts)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.json"
            write_json(path, {"machine": "m", "versions": {}}, 3, [], cells, starts, verdicts(cells, starts))
            rows = json.loads(path.read_text())["rows"]
        self.assertEqual(rows[0]["median_us"], 10.0)
        self.assertEqual((rows[1]["median_us"], rows[1]["reason"]), (None, "not installed"))


if __name__ == "__main__":
    unittest.main()
