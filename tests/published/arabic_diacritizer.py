"""arabic-diacritizer 1.0.0: diacritics of Arabic texts. Three bidirectional LSTM layers read the letters,
every position attends to all of them by an additive score, and a mark is chosen for each. A state_dict of
PyTorch in a zip. In front of it the package has a cache of sentences, which is left out.

Its energies are of up to 247, so that float32 numbers of anybody's are far from exact: PyTorch's logits are
off by 3.2e-4 from what PyTorch computes in float64, cuseq's on the cpu by 2.6e-4. So the texts are those of
float32, and the numbers those of float64."""

import copy
from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published

ENVIRONMENT = "torch"
STEMS = (
    "كتاب مدرسة بيت شجرة زهرة رجل امرأة مدينة قرية شارع خبز ماء تفاح طريق جبل نهر قلم دفتر معلم طالب "
    "سيارة سوق شمس قمر"
)
AROUND = ["{}", "ال{}", "و{}", "في {}", "هذا {}", "رأيت {} كبيرا", "ذهب الولد إلى {}", "{} جديد", "كان {} جميلا."]


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    return program.convert(folder / "diacritize/assets/bilstm_best.pt", config="arabic_diacritizer")


class Package(Published):
    """BiLSTMDiacritizer, the class."""

    gives_lengths = True
    exact = True

    def __init__(self, folder: Path) -> None:
        package.bare("diacritize", folder)
        from diacritize import config, unicode_utils
        from diacritize.baseline.model import BiLSTMDiacritizer

        self.labels, self.unicode = config.ID_TO_LABEL, unicode_utils
        self.model = BiLSTMDiacritizer.from_pretrained(str(folder / "diacritize/assets/bilstm_best.pt"))
        self.double = copy.deepcopy(self.model).double()

    def words(self) -> list[str]:
        return [around.format(stem) for stem in STEMS.split() for around in AROUND]

    def text(self, word: str) -> str:
        return self.model.diacritize(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.double, "forward") as results:
            self.double.diacritize(word)
        logits = results[0][0].numpy()
        return self.text(word), logits.argmax(1).tolist(), logits

    def ids(self, word: str) -> list[int]:
        return self.model.tokenizer.encode(self.unicode.strip_diacritics(word), add_special=False)

    def places(self, word: str) -> list[int]:
        return list(range(len(self.ids(word))))

    def spell(self, word: str, tokens: list) -> str:
        stripped = self.unicode.strip_diacritics(word)
        return self.unicode.apply_diacritics(stripped, [self.labels[token] for token in tokens])
