"""g2p-id-py 0.4.2: Indonesian words to phonemes. An LSTM reads the letters, one-hot and padded to 24 with a
blank that it reads like a letter; another one, which begins with its states, writes phonemes. Keras' two
models, exported to two .onnx files."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published

ENVIRONMENT = "onnx"
LINKS = "input_3=lstm,input_4=lstm_1"  # h and c, which have one shape
OPTIONS = ("--start-token", 0, "--end-token", 1, "--steps", 26, "--link", LINKS)


def convert(folder: Path, program: Program) -> Path:
    """The model of the two files in the wheel."""
    files = [folder / f"g2p_id/models/lstm/{part}_model.onnx" for part in ("encoder", "decoder")]
    return program.convert(*files, options=OPTIONS)


class Package(Published):
    """Its LSTM, without the rules and the dictionary around it, which take NLTK's data."""

    steps = 26

    def __init__(self, folder: Path) -> None:
        package.bare("g2p_id", folder)
        from g2p_id.lstm import LSTM

        self.lstm = LSTM()
        lines = (folder / "g2p_id/resources/lexicon_id.tsv").read_text(encoding="utf-8").splitlines()
        self.lexicon = [line.split("\t")[0] for line in lines]

    def words(self) -> list[str]:
        """Some 400 of the package's lexicon, of all its parts."""
        longest = self.lstm.config["max_encoder_seq_length"]
        good = [
            word for word in self.lexicon if 3 <= len(word) <= longest and set(word) <= set(self.lstm.g2id)
        ]
        return good[:: len(good) // 400]

    def text(self, word: str) -> str:
        return self.lstm.predict(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.lstm.decoder, "run") as results:
            text = self.lstm.predict(word)
        outputs = np.array([output[0, -1] for output, _, _ in results])
        return text, outputs.argmax(1).tolist(), outputs

    def ids(self, word: str) -> list[int]:
        config, known = self.lstm.config, self.lstm.g2id
        padding = [known[config["pad_token"]]] * (config["max_encoder_seq_length"] - len(word))
        return [known[letter] for letter in word] + padding

    def spell(self, word: str, tokens: list) -> str:
        return "".join(self.lstm.id2p[token] for token in tokens).replace(self.lstm.config["eos_token"], "")
