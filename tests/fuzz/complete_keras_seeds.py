"""complete_keras_seeds.py: gives the layers in corpus/keras the settings that their classes always have,
as null where a seed leaves them out, and operations and classes the module that Keras writes. A seed
without them is refused before anything of it is read; this is run after identity_keys.c has changed."""

import json
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "random/models"))
from check_keys import expected, table

KEYS = table()
ATTRIBUTE = b"A" + struct.pack("<I", 12) + b"model_config" + struct.pack("<I", 1)


def complete(value, line, minor):
    """Completes every layer and operation in a configuration."""
    if isinstance(value, list):
        for one in value:
            complete(one, line, minor)
    if not isinstance(value, dict):
        return
    for one in value.values():
        complete(one, line, minor)
    config, name = value.get("config"), value.get("class_name")
    if not isinstance(config, dict) or name not in KEYS["layers"] | KEYS["operations"]:
        return
    operation = ".ops." in value.get("module", "") or name not in KEYS["layers"]
    if "module" in value:
        value["module"] = "keras.src.ops.numpy" if operation else "keras.layers"
    always, _ = expected(KEYS["operations" if operation else "layers"][name], line, minor)
    for key in sorted(always - set(config)):
        config[key] = None


def shortened(config):
    return json.dumps(config, separators=(",", ":")).encode()


def completed(seed):
    """A seed's bytes, as fuzz_keras.c describes them."""
    if seed.startswith(b"{"):
        text, stream = seed.split(b"\0", 1)
        config = json.loads(text)
        complete(config, "n", 15)
        return shortened(config) + b"\0" + stream
    at = seed.index(ATTRIBUTE) + len(ATTRIBUTE)
    (size,) = struct.unpack_from("<I", seed, at)
    config = json.loads(seed[at + 4 : at + 4 + size])
    complete(config, "n", 15)
    text = shortened(config)
    return seed[:at] + struct.pack("<I", len(text)) + text + seed[at + 4 + size :]


def main():
    for path in sorted((HERE / "corpus/keras").iterdir()):
        path.write_bytes(completed(path.read_bytes()))


if __name__ == "__main__":
    main()
