"""All written models, in the order of their files."""

import asked  # noqa: F401  (each enters its models into the register)
import attending  # noqa: F401
import blogs  # noqa: F401
import books  # noqa: F401
import classifiers  # noqa: F401
import competitions  # noqa: F401
import convolved  # noqa: F401
import dates  # noqa: F401
import decoders  # noqa: F401
import forecasts  # noqa: F401
import gated  # noqa: F401
import futures  # noqa: F401
import graphs  # noqa: F401
import halves  # noqa: F401
import intents  # noqa: F401
import normalised  # noqa: F401
import notebooks  # noqa: F401
import positions  # noqa: F401
import posts  # noqa: F401
import probabilities  # noqa: F401
import questions  # noqa: F401
import recipes  # noqa: F401
import segments  # noqa: F401
import sensors  # noqa: F401
import seq2seq  # noqa: F401
import series  # noqa: F401
import taggers  # noqa: F401
import translations  # noqa: F401
import weighted  # noqa: F401
import wirings  # noqa: F401
import workshops  # noqa: F401
from kinds import KINDS


def all_kinds():
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)), "two models of one name"
    return KINDS
