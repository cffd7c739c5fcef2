"""nakdimon 0.1.2: diacritics of Hebrew texts. Two bidirectional LSTM layers of 400, merged by their sums,
read the letters behind a mask; three heads choose vowel, dagesh and sin dot of each. A whole model of Keras
2 in .h5."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published
from words import listed

ENVIRONMENT = "keras2"
PADDED = 64  # the package pads to 10,000 where nothing is said; the mask keeps the answers the same


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    return program.convert(folder / "nakdimon/Nakdimon.h5")


class Package(Published):
    """predict(), which takes the length that it pads to."""

    gives_lengths = True

    def __init__(self, folder: Path) -> None:
        package.bare("nakdimon", folder)
        from nakdimon import dataset, hebrew, predict

        predict.tf.keras.utils.disable_interactive_logging()
        self.dataset, self.hebrew, self.predict = dataset, hebrew, predict
        self.model = predict.load_cached_model(folder / "nakdimon/Nakdimon.h5")

    def words(self) -> list[str]:
        return listed("hebrew")

    def text(self, word: str) -> str:
        return self.predict.predict(word, self.model, maxlen=PADDED)

    def as_called(self, word: str) -> str:
        """As nakdimon.diacritize() calls it."""
        return self.predict.predict(word, self.model)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.model, "predict") as results:
            text = self.text(word)
        heads = [head[0, : len(self.ids(word))] for head in results[0]]
        return text, np.stack([head.argmax(1) for head in heads], 1).tolist(), np.concatenate(heads, 1)

    def ids(self, word: str) -> list[int]:
        [row] = self.dataset.Data.from_text(self.hebrew.iterate_dotted_text(word), PADDED).normalized
        return row[row != 0].tolist()

    def places(self, word: str) -> list[int]:
        return list(range(len(self.ids(word))))

    def spell(self, word: str, tokens: list) -> str:
        """predict(), whose model is one that gives these tokens."""
        chosen = np.zeros((1, PADDED, 3), int)
        chosen[0, : len(tokens)] = tokens
        given = [np.eye(16)[chosen[:, :, head]] for head in range(3)]
        with package.replaced(self.model, "predict", lambda ids: given):
            return self.text(word)
