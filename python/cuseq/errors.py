"""The exceptions of this package: each is an Error, and what Python people expect beside it. Their text is the
library's one line: what is wrong, where, what was found, what is needed."""


class Error(Exception):
    """Whatever the library refuses."""


class ArgumentError(Error, ValueError):
    """An argument of a call: a size, a length, an id, a text."""


class WrongType(Error, TypeError):
    """An argument of another type than is needed: an array of other elements, or of what cannot be read."""


class SessionError(Error, RuntimeError):
    """A session that is closed, in use by another thread or an interrupted call, or of the process before a fork."""


class FileError(Error, ValueError):
    """A file that is not what it should be."""


class ModelError(Error, ValueError):
    """A configuration or tensors that do not make a model; a model that cannot be converted."""


class ReadError(Error, OSError):
    """A file that cannot be read or written."""


class MemoryFull(Error, MemoryError):
    """Memory that is not there."""


class NoDevice(Error, RuntimeError):
    """A device that is not there."""


class NotSupported(Error, RuntimeError):
    """Something that the interface has and this version does not do."""


class NonFinite(Error, ValueError):
    """NaN or infinity in the input, or in what is computed of it."""


class DeviceFailed(Error, RuntimeError):
    """The device failed."""
