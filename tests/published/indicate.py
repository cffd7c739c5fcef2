"""indicate 0.5.1: Hindi words to Latin letters. An LSTM of 1024 reads the characters, padded to 47 with
what it reads like a character; another one reads the context and the last letter, whose embedding asks for
the context (dot product, before the cell). The classes of the network are the package's own; Keras saved
their weights in two .weights.h5 files."""

import sys
from pathlib import Path

import h5py
import numpy as np
import package
from program import Program
from published import Published
from words import listed

ENVIRONMENT = "keras3"
WEIGHTS = "indicate/data/hindi_to_english/saved_weights"


def convert(folder: Path, program: Program) -> Path:
    """The model of the two files in the wheel, whose arrays go into one first."""
    arrays = {}
    for part in ("encoder", "decoder"):
        with h5py.File(folder / WEIGHTS / f"{part}.weights.h5") as file:
            file.visititems(
                lambda name, item: arrays.update(
                    {f"{part}/{name}": item[()]} if isinstance(item, h5py.Dataset) else {}
                )
            )
    np.savez(program.work / "indicate.npz", **arrays)
    return program.convert(program.work / "indicate.npz", config="indicate")


class Package(Published):
    """Its network for Hindi; the other one of the package is a service on the web."""

    steps = 173

    def __init__(self, folder: Path) -> None:
        package.stand_in("func_timeout", FunctionTimedOut=TimeoutError, func_timeout=self.call)
        package.bare("indicate", folder)
        from indicate.hindi2english import HindiToEnglish

        HindiToEnglish.transliterate("राम")  # loads it
        self.hindi, self.utils = HindiToEnglish, sys.modules["indicate.utils"]

    @staticmethod
    def call(seconds: float, function: object, args: tuple) -> object:
        """func_timeout() without the limit and its thread."""
        return function(*args)

    def words(self) -> list[str]:
        return listed("hindi")

    def text(self, word: str) -> str:
        return self.hindi.transliterate(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        longest = self.hindi.decoder.max_length_output
        with package.recorded(self.hindi, "decoder", max_length_output=longest) as results:
            text = self.hindi.transliterate(word)
        logits = np.array([logits.numpy()[0, -1] for logits, _, _ in results])
        return text, logits.argmax(1).tolist(), logits

    def ids(self, word: str) -> list[int]:
        ids = [self.hindi.input_lang_tokenizer.word_index[letter] for letter in word]
        return ids + [0] * (self.hindi.max_length_input - len(ids))

    def spell(self, word: str, tokens: list) -> str:
        return self.utils.sequence_to_chars(self.hindi.target_lang_tokenizer, tokens).strip("$")
