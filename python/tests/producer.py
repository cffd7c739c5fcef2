"""Arrays of another library, as the tests need them: DLPack capsules made by hand, around memory of any address."""

import ctypes

CPU, CUDA, CUDA_HOST, METAL, ROCM, CUDA_MANAGED = 1, 2, 3, 8, 10, 13
INT, UINT, FLOAT, BFLOAT, COMPLEX = 0, 1, 2, 4, 5
TYPES = {"float32": (FLOAT, 32), "float64": (FLOAT, 64), "int32": (INT, 32), "int64": (INT, 64)}


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", DELETER)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", DELETER),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype = ctypes.py_object
_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Producer:
    """An array with __dlpack__. What it hands out is counted, and so is what comes back.

    strides   in elements; None: there are none in the capsule
    version   the newest it knows; None: it knows no max_version
    """

    def __init__(self, address, shape, dtype="float32", *, strides=None, offset=0, version=(1, 1), **more):
        self.address, self.shape, self.dtype, self.strides, self.offset = address, shape, dtype, strides, offset
        self.version, self.read_only = version, more.get("read_only", False)
        self.kind, self.device = more.get("kind", CPU), more.get("device", 0)
        self.major = more.get("major", 1)
        self.streams, self.kept, self.deleted = [], [], 0

    def __dlpack_device__(self):
        return self.kind, self.device

    def ready_on(self, stream):
        """What a producer on a device does before it hands out an array."""

    def __dlpack__(self, *, stream=None, **options):
        if self.version is None and options:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        self.streams.append(stream)
        self.ready_on(stream)
        versioned = self.version is not None and options.get("max_version", (0, 0)) >= (1, 0)
        if self.read_only and not versioned:
            raise BufferError("the array is read-only")
        code, bits = TYPES.get(self.dtype, self.dtype)
        sizes = (ctypes.c_int64 * max(len(self.shape), 1))(*self.shape)
        steps = None if self.strides is None else (ctypes.c_int64 * len(self.strides))(*self.strides)
        tensor = Tensor(self.address, self.kind, self.device, len(self.shape), code, bits, 1, sizes, steps, self.offset)
        deleter = DELETER(self._delete)
        if versioned:
            whole = Versioned(self.major, 0, None, deleter, 1 if self.read_only else 0, tensor)
        else:
            whole = Managed(tensor, None, deleter)
        self.kept.append((whole, sizes, steps, deleter))
        return _capsule(ctypes.addressof(whole), b"dltensor_versioned" if versioned else b"dltensor", None)

    def _delete(self, managed):
        assert managed in [ctypes.addressof(whole) for whole, *_ in self.kept]
        self.deleted += 1


def of(array, **more):
    """A numpy array as another library's."""
    dtype = more.pop("dtype", str(array.dtype))
    steps = tuple(step // array.itemsize for step in array.strides)
    made = Producer(array.ctypes.data, array.shape, dtype, strides=more.pop("strides", steps), **more)
    made.owner = array
    return made


def described(capsule):
    """(address, shape, strides, device kind, device number, read-only) of a capsule that nobody took."""
    for name, structure in ((b"dltensor_versioned", Versioned), (b"dltensor", Managed)):
        try:
            whole = structure.from_address(_pointer(capsule, name))
        except ValueError:
            continue
        tensor = whole.tensor
        shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
        strides = tuple(tensor.strides[axis] for axis in range(tensor.ndim))
        read_only = bool(getattr(whole, "flags", 0) & 1)
        return tensor.data + tensor.byte_offset, shape, strides, tensor.device_type, tensor.device_id, read_only
    raise AssertionError("no capsule of a tensor")
