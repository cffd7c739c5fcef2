"""g2pM 0.1.2.5: Chinese characters to Pinyin. A bidirectional LSTM reads the text between two marks, and
two dense layers choose the sound of each character that has several. A pickle of NumPy's arrays under
PyTorch's names."""

import pickle
from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published
from words import listed

ENVIRONMENT = "numpy"


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel. Unpickling runs what a file says: only do it with files of those
    you trust."""
    arrays = pickle.loads((folder / "g2pM/np_ckpt.pkl").read_bytes())
    np.savez(program.work / "g2pm.npz", **arrays)
    return program.convert(program.work / "g2pm.npz", config="g2pm")


class Package(Published):
    """G2pM, the class."""

    gives_lengths = True

    def __init__(self, folder: Path) -> None:
        package.bare("g2pM", folder)
        from g2pM.g2pM import G2pM

        self.g2pm = G2pM()

    def words(self) -> list[str]:
        """Words with a character of several sounds."""
        return [word for word in listed("chinese") if self.places(word)]

    def text(self, word: str) -> list[str]:
        return self.g2pm(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.g2pm, "fc_layer") as results:
            text = self.g2pm(word)
        [logits] = results
        return text, logits.argmax(1).tolist(), logits

    def ids(self, word: str) -> list[int]:
        known = self.g2pm.char2idx
        return [known["시"], *(known.get(letter, known["<UNK>"]) for letter in word), known["끝"]]

    def places(self, word: str) -> list[int]:
        """The characters of several sounds, behind the first mark."""
        sounds = self.g2pm.cedict
        return [place + 1 for place, letter in enumerate(word) if len(sounds.get(letter, [])) > 1]

    def spell(self, word: str, tokens: list) -> list[str]:
        """The call, with these tokens in the place of those that predict() would choose."""
        with package.replaced(self.g2pm, "predict", lambda ids, places: tokens):
            return self.g2pm(word)
