"""Runs the package's tests, or says what is missing for them and exits with 77."""

import importlib
import importlib.util
import os
import sys

for module in ("numpy", "pytest"):
    if importlib.util.find_spec(module) is None:
        print(f"[SKIP] python: {sys.executable} has no {module}")
        sys.exit(77)

pytest = importlib.import_module("pytest")
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", os.path.dirname(os.path.abspath(__file__)), *sys.argv[1:]]))
