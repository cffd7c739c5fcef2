"""PyTorch as a peer: worker_torch.py DATA THREADS eager|compiled|padded|bf16.

nn.LSTM over time-major input, nn.LSTMCell as decoder, the attention from torch's own operations, a K_a computed once per
call, which users' code seldom does. Without gradients. `compiled` is torch.compile for fixed sizes with frozen weights, of the
whole model or, where there is a loop of many steps, of the step. `padded` is W8 without packed sequences, `bf16` has module and input as bfloat16."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from torch_published import Decoder, open_published
from worker import Opened, serve
from workload import Workload


class Encoder(nn.Module):
    """W3 and W4: x [T,B,F] to annotations [T,B,A]."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.lstm = nn.LSTM(w.F, w.H, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Attention(nn.Module):
    """Energies of concat(a, s) through one or two dense layers; the annotations' part is handed in."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.key = nn.Linear(w.A, w.keys)
        self.query = nn.Linear(w.S or w.A, w.keys, bias=False)
        self.second = nn.Linear(w.keys, 1)
        self.two = w.keys > 1

    def forward(self, annotations: Tensor, keys: Tensor, state: Tensor) -> Tensor:
        energies = torch.tanh(keys + self.query(state).unsqueeze(1))
        if self.two:
            energies = torch.relu(self.second(energies))
        alphas = torch.softmax(energies, dim=1)
        return torch.bmm(alphas.transpose(1, 2), annotations).squeeze(1)


class Attend(nn.Module):
    """W1: annotations and one context, attended by the encoder's final state."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.lstm = nn.LSTM(w.F, w.H, bidirectional=True)
        self.attention = Attention(w)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        annotations, (h, _) = self.lstm(x)
        annotations = annotations.transpose(0, 1)
        state = torch.cat([h[0], h[1]], dim=1)
        return annotations, self.attention(annotations, self.attention.key(annotations), state)


class Dates(nn.Module):
    """W2: x [T,B,F] to outputs [B,Y,V]."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.lstm = nn.LSTM(w.F, w.H, bidirectional=True)
        self.attention = Attention(w)
        self.decoder = nn.LSTMCell(w.A, w.S)
        self.output = nn.Linear(w.S, w.V)
        self.steps, self.S = w.Y, w.S

    def forward(self, x: Tensor) -> Tensor:
        annotations = self.lstm(x)[0].transpose(0, 1).contiguous()
        keys = self.attention.key(annotations)
        h = torch.zeros(x.shape[1], self.S)
        c = torch.zeros(x.shape[1], self.S)
        outputs: list[Tensor] = []
        for _ in range(self.steps):
            h, c = self.decoder(self.attention(annotations, keys, h), (h, c))
            outputs.append(torch.softmax(self.output(h), dim=1))
        return torch.stack(outputs, dim=1)


def tensor(array: np.ndarray) -> Tensor:
    """A copy; the gates' order i, f, c, o is PyTorch's own."""
    return torch.from_numpy(np.array(array))


def state_dict(w: Workload) -> dict[str, Tensor]:
    """The weights under the modules' names: transposed, and zeros for the second bias."""
    state = {}
    for suffix, direction in (("", "forward"), ("_reverse", "backward")):
        prefix = f"encoder.layers.0.{direction}."
        state[f"lstm.weight_ih_l0{suffix}"] = tensor(w.tensors[prefix + "kernel"].T)
        state[f"lstm.weight_hh_l0{suffix}"] = tensor(w.tensors[prefix + "recurrent_kernel"].T)
        state[f"lstm.bias_ih_l0{suffix}"] = tensor(w.tensors[prefix + "bias"])
        state[f"lstm.bias_hh_l0{suffix}"] = torch.zeros(4 * w.H)
    if w.encode_only:
        return state
    kernel = w.tensors["attention.layers.0.kernel"]
    state["attention.key.weight"] = tensor(kernel[: w.A].T)
    state["attention.key.bias"] = tensor(w.tensors["attention.layers.0.bias"])
    state["attention.query.weight"] = tensor(kernel[w.A :].T)
    state["attention.second.weight"] = tensor(
        w.tensors.get("attention.layers.1.kernel", np.ones((1, 1), np.float32)).T
    )
    state["attention.second.bias"] = tensor(w.tensors.get("attention.layers.1.bias", np.zeros(1, np.float32)))
    if w.Y:
        state["decoder.weight_ih"] = tensor(w.tensors["decoder.kernel"].T)
        state["decoder.weight_hh"] = tensor(w.tensors["decoder.recurrent_kernel"].T)
        state["decoder.bias_ih"] = tensor(w.tensors["decoder.bias"])
        state["decoder.bias_hh"] = torch.zeros(4 * w.S)
        state["output.weight"] = tensor(w.tensors["output.kernel"].T)
        state["output.bias"] = tensor(w.tensors["output.bias"])
    return state


def results(w: Workload, outputs: object) -> list[np.ndarray]:
    """What is verified, batch first."""
    if w.encode_only:
        return [outputs.transpose(0, 1).float().numpy()]
    return [outputs.numpy()] if w.Y else [output.numpy() for output in outputs]


def compiler() -> str:
    """What torch.compile builds with. Ends the process with the reason where it cannot."""
    found = shutil.which("g++")
    if not found:
        sys.exit("torch.compile needs a C++ compiler (no g++ found)")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        sys.exit("torch.compile needs Python's headers (no Python.h; Debian's package python3-dev has it)")
    version = subprocess.run([found, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    return f"; torch.compile with g++ {version.strip()}"


def compile_model(model: nn.Module) -> nn.Module:
    """The model with its slow part compiled, for the sizes that come first."""
    if isinstance(model, Decoder):
        model.chosen = torch.compile(model.chosen, dynamic=False)
        return model
    return torch.compile(model, dynamic=False)


def open_first(w: Workload) -> tuple[nn.Module, object, object]:
    """W1 to W4: as open_published."""
    model = (Encoder if w.encode_only else Dates if w.Y else Attend)(w)
    model.load_state_dict(state_dict(w))
    x = tensor(w.one_hot().transpose(1, 0, 2)).contiguous()
    return model, x, lambda outputs: results(w, outputs)


def main(data: str, threads: str, variant: str) -> None:
    torch.set_num_threads(int(threads))
    torch.set_num_interop_threads(1)
    name = f"PyTorch {torch.__version__}"
    if variant == "compiled":
        from torch._inductor import config as inductor

        name += compiler()
        inductor.freezing = True

    def open_model(w: Workload) -> Opened:
        model, x, made = open_published(w, variant == "padded") if w.published else open_first(w)
        model.eval()
        if variant == "bf16":
            model, x = model.bfloat16(), x.bfloat16()
        if variant == "compiled":
            model = compile_model(model)

        def call() -> object:
            with torch.no_grad():
                return model(x)

        return call, made

    serve(name, open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
