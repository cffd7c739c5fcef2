"""Arrays on a CUDA device, made with the CUDA runtime alone, as another library would make them."""

import ctypes

import numpy as np
import producer


class Runtime:
    def __init__(self):
        self.library = ctypes.CDLL("libcudart.so.13")

    def __call__(self, name, *arguments):
        error = getattr(self.library, name)(*arguments)
        assert error == 0, (name, error)


def pointer(address):
    return ctypes.c_void_p(address)


def free_bytes(runtime):
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    runtime("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
    return free.value


class Stream:
    def __init__(self, runtime):
        self.runtime, made = runtime, ctypes.c_void_p()
        runtime("cudaStreamCreateWithFlags", ctypes.byref(made), 1)
        self.address = made.value

    def __cuda_stream__(self):
        return 0, self.address

    def close(self):
        self.runtime("cudaStreamDestroy", pointer(self.address))


class DeviceArray(producer.Producer):
    """A copy of a numpy array on a device. The copy is queued on a stream of its own: whoever reads it without having
    that stream waited for may come too soon."""

    def __init__(self, runtime, array, *, device=0, **more):
        self.runtime, self.source = runtime, np.array(array)
        self.pinned, self.memory = ctypes.c_void_p(), ctypes.c_void_p()
        runtime("cudaSetDevice", device)
        self.stream = Stream(runtime)
        base = self.source
        runtime("cudaMallocHost", ctypes.byref(self.pinned), ctypes.c_size_t(max(base.nbytes, 1)))
        runtime("cudaMalloc", ctypes.byref(self.memory), ctypes.c_size_t(max(base.nbytes, 1)))
        ctypes.memmove(self.pinned, base.ctypes.data, base.nbytes)
        size, to_device = ctypes.c_size_t(base.nbytes), 1
        queue = pointer(self.stream.address)
        runtime("cudaMemcpyAsync", self.memory, self.pinned, size, to_device, queue)
        runtime("cudaSetDevice", 0)
        shape, steps = more.pop("shape", base.shape), more.pop("strides", None)
        offset = more.pop("offset", 0)
        super().__init__(
            self.memory.value,
            shape,
            str(base.dtype),
            strides=steps,
            offset=offset,
            kind=producer.CUDA,
            device=device,
            **more,
        )

    def ready_on(self, stream):
        if stream == -1:
            return
        event = ctypes.c_void_p()
        self.runtime("cudaSetDevice", self.device)
        self.runtime("cudaEventCreateWithFlags", ctypes.byref(event), 2)
        self.runtime("cudaEventRecord", event, pointer(self.stream.address))
        self.runtime("cudaStreamWaitEvent", pointer(1 if stream is None else stream), event, 0)
        self.runtime("cudaEventDestroy", event)
        self.runtime("cudaSetDevice", 0)

    def host(self):
        """What it holds now, of all its memory."""
        made = np.empty_like(self.source)
        to_host = 2
        self.runtime("cudaStreamSynchronize", pointer(self.stream.address))
        self.runtime("cudaMemcpy", pointer(made.ctypes.data), self.memory, ctypes.c_size_t(made.nbytes), to_host)
        return made

    def free(self):
        self.runtime("cudaStreamSynchronize", pointer(self.stream.address))
        self.runtime("cudaFree", self.memory)
        self.runtime("cudaFreeHost", self.pinned)
        self.stream.close()


class Interface:
    """The same with __cuda_array_interface__ in place of DLPack."""

    def __init__(self, array, *, strides=None, shape=None, read_only=False):
        self.array, self.shape, source = array, shape or array.shape, array.source
        self.__cuda_array_interface__ = {
            "shape": tuple(self.shape),
            "typestr": source.dtype.str,
            "data": (array.address, read_only),
            "strides": strides,
            "version": 3,
            "stream": array.stream.address,
        }


def read(runtime, address, shape, dtype):
    """What lies there, in a stream that waits for nothing."""
    made, stream, to_host = np.empty(shape, dtype), Stream(runtime), 2
    size = ctypes.c_size_t(made.nbytes)
    queue = pointer(stream.address)
    runtime("cudaMemcpyAsync", pointer(made.ctypes.data), pointer(address), size, to_host, queue)
    runtime("cudaStreamSynchronize", pointer(stream.address))
    stream.close()
    return made
