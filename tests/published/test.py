"""test.py: what judges published packages, and what fetches them, is itself tested."""

import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

import test_published as published
import wheels

HERE = Path(__file__).resolve().parent
RIGHT = {
    "words": 200,
    "tokens": 200,
    "texts": 200,
    "error": 1e-6,
    "allowed": 2e-6,
    "converted_s": 0.1,
    "others": [],
}


class Verdicts(unittest.TestCase):
    """test_published.verdict and refusal."""

    def test_equal_answers_within_the_tolerance_pass(self) -> None:
        self.assertTrue(published.verdict("a", RIGHT)[0])

    def test_one_other_text_or_token_fails_and_is_shown(self) -> None:
        for part in ("tokens", "texts"):
            passes, line = published.verdict("a", {**RIGHT, part: 199, "others": [["word", "x", "y"]]})
            self.assertFalse(passes)
            self.assertIn("word: the package says x, cuseq y", line)

    def test_too_few_words_fail(self) -> None:
        self.assertFalse(published.verdict("a", {**RIGHT, "words": 199, "tokens": 199, "texts": 199})[0])

    def test_numbers_that_are_too_far_apart_or_no_numbers_fail(self) -> None:
        for error in (2.1e-6, float("inf"), float("nan")):
            self.assertFalse(published.verdict("a", {**RIGHT, "error": error})[0])

    def test_a_script_that_failed_fails_with_its_reason(self) -> None:
        passes, line = published.verdict("a", {"fault": "no such layer"})
        self.assertFalse(passes)
        self.assertIn("no such layer", line)

    def test_a_refusal_has_one_line_that_says_why(self) -> None:
        self.assertTrue(
            published.refusal("a", [["as it is", "cuseq: a: self-attention", "self-attention"]])[0]
        )
        for said in ("cuseq: a: other", "cuseq: a: self-attention\nand more", ""):
            self.assertFalse(published.refusal("a", [["as it is", said, "self-attention"]])[0])


class Files(unittest.TestCase):
    """wheels, packages.txt and the configurations."""

    def test_every_package_is_pinned_by_version_and_hash(self) -> None:
        pins = wheels.pins()
        self.assertEqual(set(pins), {*published.PACKAGES, *published.REFUSED})
        for line, digest in pins.values():
            self.assertRegex(line, r"^[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$")
            self.assertEqual(len(digest), 64)

    def test_a_file_of_the_cache_is_taken_by_its_hash_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"XDG_CACHE_HOME": folder}):
            path = wheels.cache() / "a-1.0.whl"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"what was pinned")
            digest = hashlib.sha256(b"what was pinned").hexdigest()
            self.assertEqual(wheels.kept(digest), path)
            path.write_bytes(b"something else")
            self.assertIsNone(wheels.kept(digest))

    def test_a_file_of_an_archive_stays_in_its_folder(self) -> None:
        self.assertTrue(wheels.inside("rnnmorph-0.4.1/setup.py"))
        for name in ("/etc/passwd", "../a", "a/../../b"):
            self.assertFalse(wheels.inside(name))

    def test_every_package_has_a_file_that_names_its_environment(self) -> None:
        for module in published.PACKAGES.values():
            self.assertIn(published.environment_of(module), ("numpy", "onnx", "torch", "keras2", "keras3"))

    def test_configurations_are_json_of_version_2_with_names(self) -> None:
        for path in (HERE / "configs").glob("*.json"):
            config = json.loads(path.read_text())
            self.assertEqual(config["version"], 2)
            self.assertIn("names", config)


if __name__ == "__main__":
    unittest.main()
