"""A workload's model in PyTorch, as it is usually written: nn.LSTM, concat attention, nn.LSTMCell."""

import json
import os
import struct

import torch


def tensors(path):
    """Name -> tensor of a .safetensors file of float32."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        head, data = json.loads(file.read(size)), bytearray(file.read())
    found = {}
    for name, entry in head.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            found[name] = torch.frombuffer(data[start:end], dtype=torch.float32).reshape(entry["shape"]).clone()
    return found


def array(folder, name, dtype, shape):
    with open(os.path.join(folder, name), "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype).reshape(shape).clone()


def set_lstm(module, suffixes, kernels):
    """Keras's [inputs,4H] into PyTorch's [4H,inputs]; the gates have the same order, the second bias is 0."""
    for suffix, (kernel, recurrent, bias) in zip(suffixes, kernels):
        getattr(module, "weight_ih" + suffix).data.copy_(kernel.t())
        getattr(module, "weight_hh" + suffix).data.copy_(recurrent.t())
        getattr(module, "bias_ih" + suffix).data.copy_(bias)
        getattr(module, "bias_hh" + suffix).data.zero_()


def linear(kernel, bias):
    module = torch.nn.Linear(*kernel.shape)
    module.weight.data.copy_(kernel.t())
    module.bias.data.copy_(bias)
    return module


class Model(torch.nn.Module):
    def __init__(self, folder, sizes):
        super().__init__()
        w = tensors(os.path.join(folder, "model.safetensors"))
        self.sizes = sizes
        directions = ("forward", "backward")[:sizes["directions"]]
        self.lstm = torch.nn.LSTM(sizes["F"], sizes["H"], num_layers=sizes["layers"], batch_first=True,
                                  bidirectional=len(directions) == 2)
        for layer in range(sizes["layers"]):
            for direction, suffix in zip(directions, ("", "_reverse")):
                prefix = "encoder.layers.%d.%s." % (layer, direction)
                kernels = [w[prefix + part] for part in ("kernel", "recurrent_kernel", "bias")]
                set_lstm(self.lstm, ("_l%d%s" % (layer, suffix),), [kernels])
        self.layers = torch.nn.ModuleList(
            linear(w["attention.layers.%d.kernel" % n], w["attention.layers.%d.bias" % n])
            for n in range(1 + (sizes["keys"] > 1)))
        if sizes["S"]:
            self.cell = torch.nn.LSTMCell(2 * sizes["H"], sizes["S"])
            set_lstm(self.cell, ("",), ([w["decoder.kernel"], w["decoder.recurrent_kernel"], w["decoder.bias"]],))
            self.output = linear(w["output.kernel"], w["output.bias"])

    def encode(self, x, lengths):
        if self.sizes["ids"]:
            x = torch.nn.functional.one_hot(x.long(), self.sizes["F"]).float()
        if lengths is None:
            return self.lstm(x)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        annotations, state = self.lstm(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(annotations, batch_first=True, total_length=x.shape[1])[0], state

    def attend(self, annotations, state, mask):
        e = torch.cat((annotations, state.unsqueeze(1).expand(-1, annotations.shape[1], -1)), 2)
        e = torch.tanh(self.layers[0](e))
        if len(self.layers) > 1:
            e = torch.relu(self.layers[1](e))
        e = e.squeeze(2)
        if mask is not None:
            e = e.masked_fill(mask, float("-inf"))
        alphas = torch.softmax(e, 1)
        return torch.bmm(alphas.unsqueeze(1), annotations).squeeze(1), alphas

    def forward(self, x, lengths, mask):
        """Name -> answer; lengths are in host memory, as packing wants them."""
        annotations, (h, _) = self.encode(x, lengths)
        if self.sizes["encodes_only"]:
            return {"annotations": annotations}
        if not self.sizes["S"]:
            context, alphas = self.attend(annotations, torch.cat((h[0], h[1]), 1), mask)
            return {"contexts": context.unsqueeze(1), "alphas": alphas.unsqueeze(1)}
        s = c = annotations.new_zeros(x.shape[0], self.sizes["S"])
        steps = []
        for _ in range(self.sizes["Y"]):
            context, alphas = self.attend(annotations, s, mask)
            s, c = self.cell(context, (s, c))
            outputs = torch.softmax(self.output(s), 1)
            steps.append((context, alphas, outputs, outputs.argmax(1).int()))
        return {name: torch.stack(parts, 1) for name, parts in zip(("contexts", "alphas", "outputs", "tokens"), zip(*steps))}
