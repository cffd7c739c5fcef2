"""Runs the package's tests, or says what is missing for them and exits with 77.

run.py [FILE.py...] [OPTION OF PYTEST...]: all tests, or those of the files named."""

import importlib
import importlib.util
import os
import signal
import sys

for module in ("numpy", "pytest"):
    if importlib.util.find_spec(module) is None:
        print(f"[SKIP] python: {sys.executable} has no {module}")
        sys.exit(77)

here = os.path.dirname(os.path.abspath(__file__))
files = [os.path.join(here, name) for name in sys.argv[1:] if name.endswith(".py")]
options = [option for option in sys.argv[1:] if not option.endswith(".py")]
if files == [os.path.join(here, "test_device.py")]:
    devices = importlib.import_module("cuseq").devices()
    if not any(name.startswith("cuda:") for name, _ in devices):
        print("[SKIP] python: there is no CUDA device, and the emulated one is not built")
        sys.exit(77)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored, and then Python, too
pytest = importlib.import_module("pytest")
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *(files or [here]), *options]))
