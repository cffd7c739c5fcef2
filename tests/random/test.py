"""test.py: what judges the random descriptions is itself tested: on numbers that differ, on messages that are none."""

import math
import random
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "descriptions"))

from arrays import Tensor, read_npz, write_npy, write_safetensors
from author import Author, softmax
from describe import configuration, names
from mutate import WAYS, Broken, mutate
from program import Fault, refusal
from test_descriptions import BATCH, Case, Wrong, compare


class Refusals(unittest.TestCase):
    """program.refusal."""

    def test_a_line_with_a_reason_is_a_refusal(self) -> None:
        line = "cuseq: a.h5: layer 'lstm' (LSTM): it goes backwards"
        self.assertEqual(refusal([line], "a.h5", ["lstm"]), "layer 'lstm' (LSTM): it goes backwards")

    def test_no_line_two_lines_and_a_line_without_a_reason_are_faults(self) -> None:
        for lines in (
            [],
            ["cuseq: a.h5: no such thing here", "more"],
            ["cuseq: a.h5: no"],
            ["Segmentation fault here"],
        ):
            with self.assertRaises(Fault):
                refusal(lines, "a.h5")

    def test_a_layer_that_the_model_has_not_is_a_fault(self) -> None:
        with self.assertRaises(Fault):
            refusal(["cuseq: a.h5: layer 'gru': it goes backwards"], "a.h5", ["lstm"])


class Comparisons(unittest.TestCase):
    """test_descriptions.compare, on what the author's forward pass itself gives."""

    def setUp(self) -> None:
        numbers = (number for number in range(100) if not Case(7, number).model.only)
        self.case = next(
            case for case in map(lambda n: Case(7, n), numbers) if case.model.end is None and not case.lengths
        )
        self.got = {name: self.array(name) for name in self.case.wanted[0]}

    def array(self, name: str) -> Tensor:
        """The author's own, as cuseq's file would have it."""
        found: list[float] = []
        for row in self.case.wanted:
            value = row[name]
            while value and isinstance(value[0], list):
                value = sum(value, [])
            found += value
        width = len(self.case.wanted[0]["annotations"]) if name == "alphas" else 1
        return Tensor((BATCH, len(found) // BATCH // width, width), found)

    def test_the_same_numbers_are_equal(self) -> None:
        compare(self.case, self.got)

    def test_one_number_that_differs_or_is_none_is_wrong(self) -> None:
        for other in (1e-4, float("nan"), float("inf")):
            for name in self.got:
                before = list(self.got[name].numbers)
                self.got[name].numbers[-1] += other
                with self.assertRaises(Wrong, msg=f"{name} {other}"):
                    compare(self.case, self.got)
                self.got[name].numbers = before

    def test_an_array_that_is_missing_or_longer_is_wrong(self) -> None:
        outputs = self.got.pop("outputs")
        with self.assertRaises(Wrong):
            compare(self.case, self.got)
        self.got["outputs"] = Tensor((BATCH, 1), outputs.numbers + [0.0, 0.0])
        with self.assertRaises(Wrong):
            compare(self.case, self.got)


class Authors(unittest.TestCase):
    """author.Author's arithmetic, on numbers worked out by hand."""

    def test_softmax_adds_up_and_takes_large_energies(self) -> None:
        self.assertAlmostEqual(sum(softmax([1000.0, 1001.0, 999.0])), 1.0)
        self.assertAlmostEqual(softmax([0.0, 0.0])[1], 0.5)

    def test_an_lstm_step_is_the_formula(self) -> None:
        author = Author.__new__(Author)
        author.tensors = {
            "m.weight_ih": Tensor((4, 1), [1.0, 2.0, 3.0, 4.0]),
            "m.weight_hh": Tensor((4, 1), [0.0, 0.0, 0.0, 0.0]),
            "m.bias_ih": Tensor((4,), [0.0, 0.0, 0.0, 0.0]),
        }
        h, c = author.lstm_step("m", "", [0.5], [0.0], [2.0])
        self.assertAlmostEqual(c[0], 0.7310585786300049 * 2 + 0.6224593312018546 * 0.9051482536448664)
        self.assertAlmostEqual(h[0], 0.8807970779778823 * math.tanh(c[0]))

    def test_the_same_seed_gives_the_same_case(self) -> None:
        one, other = Case(3, 5), Case(3, 5)
        self.assertEqual(
            (one.broken.config, one.input, one.wanted), (other.broken.config, other.input, other.wanted)
        )


class Mutations(unittest.TestCase):
    """Every way of breaking a description breaks some, and leaves the author's own as it is."""

    def test_every_way_changes_a_description(self) -> None:
        for way in WAYS:
            changed = False
            for number in range(40):
                model = Author(random.Random(number))
                broken = Broken(model, configuration(model), names(model))
                before = repr((broken.config, broken.names)), dict(broken.tensors), dict(model.tensors)
                way(broken)
                changed |= before[:2] != (repr((broken.config, broken.names)), broken.tensors)
                self.assertEqual(before[2], model.tensors)
            self.assertTrue(changed, way.__name__)

    def test_what_was_done_is_named(self) -> None:
        model = Author(random.Random(1))
        broken = Broken(model, configuration(model), names(model))
        mutate(broken, 30)
        self.assertGreater(len(broken.done), 10)


class Files(unittest.TestCase):
    """arrays."""

    def test_an_npy_is_read_back_from_an_npz(self) -> None:
        import zipfile

        with tempfile.TemporaryDirectory() as folder:
            array = Path(folder) / "a.npy"
            write_npy(array, (2, 2), [1.0, 2.5, -3.0, 0.25], "f")
            with zipfile.ZipFile(Path(folder) / "a.npz", "w") as archive:
                archive.write(array, "a.npy")
            got = read_npz(Path(folder) / "a.npz")["a"]
            self.assertEqual((got.shape, got.numbers), ((2, 2), [1.0, 2.5, -3.0, 0.25]))

    def test_a_safetensors_has_its_header_and_its_numbers(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.safetensors"
            write_safetensors(path, {"x": Tensor((2,), [1.0, -2.0], "BF16"), "y": Tensor((1,), [0.5], "F16")})
            content = path.read_bytes()
            size = struct.unpack("<Q", content[:8])[0]
            self.assertEqual(content[8 + size :], b"\x80\x3f\x00\xc0" + struct.pack("<e", 0.5))
            self.assertEqual((8 + size) % 8, 0)


if __name__ == "__main__":
    unittest.main()
