"""Imports a package's own modules from its unpacked wheel, without what only other parts of the package
need."""

import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import MagicMock


def bare(name: str, folder: Path) -> None:
    """Lets `import NAME.part` work without running NAME/__init__.py, which imports the whole package."""
    spec = importlib.util.spec_from_file_location(name, folder / name / "__init__.py")
    sys.modules[name] = importlib.util.module_from_spec(spec)


def stand_in(name: str, **members: object) -> None:
    """A module in the place of one that the package imports, and that the network does not need."""
    module = types.ModuleType(name)
    module.__dict__.update(members)
    module.__getattr__ = lambda member: MagicMock(name=f"{name}.{member}")
    sys.modules[name] = module


@contextmanager
def recorded(owner: object, name: str, **members: object) -> Iterator[list]:
    """What a member of an object, which is called, gives for a while: a list that grows. `members` are what
    is asked of it besides."""
    function, results = getattr(owner, name), []

    def recording(*arguments: object, **named: object) -> object:
        results.append(function(*arguments, **named))
        return results[-1]

    recording.__dict__.update(members)
    with replaced(owner, name, recording):
        yield results


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """A member of an object that is another for a while."""
    before = owner.__dict__.get(name, replaced)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is replaced:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
