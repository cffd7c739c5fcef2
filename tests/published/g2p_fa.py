"""g2p-fa 1.1.0: Persian words to the phonetic alphabet. Two LSTM layers read the letters, padded to 30; two
more, which begin with the states of these, write the sounds. A state_dict of PyTorch in a zip. The package
forgets eval(), so that dropout makes its answers random: it is compared with itself after eval()."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published
from words import listed

ENVIRONMENT = "torch"
END = 2


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    return program.convert(folder / "g2p_fa/data/weights", config="g2p_fa")


class Package(Published):
    """G2P_Fa, after eval()."""

    steps = 29

    def __init__(self, folder: Path) -> None:
        package.bare("g2p_fa", folder)
        from g2p_fa import g2p_fa, utils

        self.utils, self.g2p = utils, g2p_fa.G2P_Fa()
        self.g2p.model.eval()

    def words(self) -> list[str]:
        return listed("persian")

    def text(self, word: str) -> str:
        return self.g2p(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.g2p, "model") as results:
            text = self.g2p(word)
        logits = results[0][1:, 0].detach().numpy()
        tokens = logits.argmax(1).tolist()
        count = tokens.index(END) + 1  # it goes on behind the end, to nobody's use
        return text, tokens[:count], logits[:count]

    def ids(self, word: str) -> list[int]:
        """The start, the letters of the package's alphabet, the end, padding."""
        utils = self.utils
        ids = [utils.START, *(utils.FA_LETTERS.find(letter) + 3 for letter in word), utils.END]
        return ids + [utils.PAD] * (utils.MAX_LEN - len(ids))

    def spell(self, word: str, tokens: list) -> str:
        return "".join(self.utils.IPA_LETTERS[token - 3] for token in tokens if token != END)
