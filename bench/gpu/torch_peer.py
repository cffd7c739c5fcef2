"""PyTorch's side of the GPU benchmark, spoken to over stdin and stdout, a line each way:

  version                                      ok VERSION
  open SLOT FOLDER GRAPH SIZES(JSON)            ok; FOLDER has model.safetensors, x.bin or ids.bin, lengths.bin
  published SLOT FOLDER                         ok; FOLDER is what ../frameworks/data_files.c writes
  answers SLOT                                  ok; FOLDER has annotations.bin or contexts.bin, alphas.bin, ...; of a published
                                                model answers.bin, what is judged of the verified rows as float32
  measure SLOT                                  ok KERNEL_US HOST_US
  close SLOT                                    ok

Anything that fails is answered by "no REASON". GRAPH 1: the whole call captured once as a CUDA graph. Plain float32: TF32 is
off. With --device cpu it runs where there is no GPU, to be tested; it measures nothing then.
"""

import argparse
import json
import os
import sys
import time

try:
    import torch
    MISSING = None
except ImportError as failure:
    torch, MISSING = None, "PyTorch is not installed (%s)" % failure

SAMPLE = 2e-3  # seconds of a sample


class Slot:
    """A workload, open."""

    def __init__(self, folder, graph, sizes, device):
        from torch_model import Model, array
        self.folder, self.device = folder, device
        shape = (sizes["B"], sizes["T"])
        if sizes["ids"]:
            self.host_x = array(folder, "ids.bin", torch.int32, shape)
        else:
            self.host_x = array(folder, "x.bin", torch.float32, shape + (sizes["F"],))
        self.lengths = array(folder, "lengths.bin", torch.int32, shape[:1]).long() if sizes["mixed"] else None
        if device.type == "cuda":
            self.host_x = self.host_x.pin_memory()
        self.x = self.host_x.to(device)
        self.mask = None
        if self.lengths is not None:
            self.mask = (torch.arange(sizes["T"])[None, :] >= self.lengths[:, None]).to(device)
        self.model = Model(folder, sizes).to(device).eval()
        self.calls, self.graph = None, None
        if graph:
            self.capture()

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.model(self.x, self.lengths, self.mask)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.captured = self.model(self.x, self.lengths, self.mask)

    def run(self):
        if self.graph is None:
            return self.model(self.x, self.lengths, self.mask)
        self.graph.replay()
        return self.captured

    def whole(self):
        self.x.copy_(self.host_x, non_blocking=True)
        return {name: value.cpu() for name, value in self.run().items()}

    def answers(self):
        for name, value in self.whole().items():
            with open(os.path.join(self.folder, name + ".bin"), "wb") as file:
                file.write(value.contiguous().numpy().tobytes())

    def timed(self, calls):
        before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        before.record()
        for _ in range(calls[0]):
            self.run()
        after.record()
        after.synchronize()
        start = time.perf_counter()
        for _ in range(calls[1]):
            self.whole()
        return 1e3 * before.elapsed_time(after) / calls[0], 1e6 * (time.perf_counter() - start) / calls[1]

    def measure(self):
        if self.calls is None:
            for _ in range(3):
                first = self.timed((3, 3))
            self.calls = [max(1, min(1000, int(1e6 * SAMPLE / us))) for us in first]
        return self.timed(self.calls)


class Published(Slot):
    """A published model, open: the module that the CPU's comparison has, on this device."""

    def __init__(self, folder, device):
        from pathlib import Path

        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "frameworks"))
        from torch_published import open_published
        from workload import read_workload
        self.folder, self.device, self.graph, self.calls = folder, device, None, None
        self.workload = read_workload(Path(folder).parent, Path(folder).name)
        model, ids, self.results = open_published(self.workload, False)
        self.model, self.host_x = model.to(device).eval(), ids
        if device.type == "cuda":
            self.host_x = self.host_x.pin_memory()
        self.x = self.host_x.to(device)

    def run(self):
        with self.device:  # what a step makes of nothing lies there, too
            return self.model(self.x)

    def whole(self):
        self.x.copy_(self.host_x, non_blocking=True)
        made = self.run()
        return made.cpu() if isinstance(made, torch.Tensor) else tuple(part.cpu() for part in made)

    def answers(self):
        import numpy

        with open(os.path.join(self.folder, "answers.bin"), "wb") as file:
            for array in self.results(self.whole()):
                rows = numpy.asarray(array)[self.workload.rows()]
                file.write(numpy.ascontiguousarray(rows, numpy.float32).tobytes())


def device_of(name):
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch %s has no CUDA here" % torch.__version__)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


def obey(line, slots, device_name):
    words = line.split(" ", 4)
    if words[0] == "version":
        device_of(device_name)
        return "ok " + torch.__version__
    slot = words[1]
    if words[0] == "open":
        slots[slot] = Slot(words[2], words[3] == "1", json.loads(words[4]), device_of(device_name))
    elif words[0] == "published":
        slots[slot] = Published(words[2], device_of(device_name))
    elif words[0] == "answers":
        slots[slot].answers()
    elif words[0] == "measure":
        return "ok %.6g %.6g" % slots[slot].measure()
    elif words[0] == "close":
        slots.pop(slot, None)
        if device_name == "cuda":
            torch.cuda.empty_cache()
    else:
        return "no such command: " + words[0]
    return "ok"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    slots = {}
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            if torch is None:
                answer = "no " + MISSING
            else:
                with torch.no_grad():
                    answer = obey(line.rstrip("\n"), slots, options.device)
        except Exception as failure:  # whatever it is, the other side is told
            answer = "no " + " ".join(str(failure).split())[:300]
        answers.write(answer + "\n")
        answers.flush()


main()
