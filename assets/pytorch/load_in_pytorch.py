"""Loads this folder's network into PyTorch: `from load_in_pytorch import load; net = load()`.

Needs torch and safetensors. Reads arch.json, config.json and weights.safetensors beside this file.
Images go in as `net(net.normalise(x))` with pixels from 0 to 1, rows of a table as they are in the
table. `net.classes` names what the answers stand for.
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


def fold(x, a=1.0, centred=1.0):
    even, odd, mean = (1 + a) / 2, (1 - a) / 2, math.sqrt(2 / math.pi)
    scale = 1 + centred * (1 / math.sqrt(even**2 * (1 - mean**2) + odd**2) - 1)
    return (torch.maximum(x, -a * x) - centred * even * mean) * scale


def smooth_cabs(x, sharpness=4.0):
    z = torch.linspace(-10, 10, 20001, dtype=torch.float64)
    weight = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    y = z * torch.tanh(sharpness * z)
    mean = (weight * y).sum().item()
    return (x * torch.tanh(sharpness * x) - mean) / math.sqrt((weight * y * y).sum().item() - mean**2)


def parametric_split(x, a=math.pi / 4, b=0.5):
    sine, cosine, tangent = math.sin(a), math.cos(a), math.tan(a)
    inside = torch.where(x > cosine, x + sine - cosine, x * tangent)
    return torch.where(x < -cosine, b * x + b * cosine - sine, inside)


def beyond(bend):
    """The identity from -a to a; beyond that what `bend` makes of the distance from there."""
    def function(x, a=1.0):
        d = (x.abs() - a).clamp(min=0)
        return torch.where(x.abs() <= a, x, torch.sign(x) * bend(d, a))
    return function


ACTIVATIONS = {
    "smooth-cabs": smooth_cabs, "parametric-split": parametric_split,
    "sinlu": lambda x, a=1.0, b=1.0: (x + a * torch.sin(b * x)) * torch.sigmoid(x),
    "smooth-split": lambda x, c=1.0, alpha=1.0: x + c * torch.tanh(alpha * x),
    "s-htanh": beyond(lambda d, a: a + 0 * d), "s-sin": beyond(lambda d, a: a - 1 + torch.cos(d)),
    "s-exp": beyond(lambda d, a: a - 1 + torch.exp(-d)), "s-saw": beyond(lambda d, a: (a - d).clamp(min=0)),
    "identity": lambda x: x, "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "swish": F.silu, "fold": fold,
    "elu": F.elu, "gelu": F.gelu, "clip": lambda x: x.clamp(0, 1),
    "leaky_relu": lambda x, a=0.2: F.leaky_relu(x, a), "sine": lambda x, g=1.0: torch.sin(g * x), "gcu": lambda x: x * torch.cos(x),
    "sine-plus-linear": lambda x, n=1.0: torch.sin(x) + n * x,
}


def activation(text):
    """A function by Lacuna's name for it, as fold:0.2."""
    name, _, numbers = text.partition(":")
    if name not in ACTIVATIONS:
        raise NotImplementedError(f"no activation is called {name}")
    return lambda x: ACTIVATIONS[name](x, *[float(n) for n in numbers.split(",") if n])


def both(sides):
    """Rows and columns; one number stands for both."""
    return tuple(sides) if isinstance(sides, (list, tuple)) else (sides, sides)


class Network(nn.Module):
    def __init__(self, arch):
        super().__init__()
        self.arch = arch
        if arch.get("learn_activation"):
            raise NotImplementedError(f"learnt activations are not loaded ({arch['activation']})")
        self.classes, self.mean, self.deviation = [], None, None
        self.own, names = {}, iter(arch.get("names", []))
        for at, layer in enumerate(arch["layers"]):
            kind, flat = layer["kind"], any(l["kind"] in ("flatten", "global_mean") for l in arch["layers"][:at])
            if kind == "conv":
                kernel = both(layer["kernel"])
                padding = both(layer.get("padding", [side // 2 for side in kernel]))
                module = nn.Conv2d(layer["input"], layer["output"], kernel, both(layer.get("stride", 1)), padding,
                                   groups=layer.get("groups", 1), bias=layer["bias"])
            elif kind == "batch_norm":
                module = (nn.BatchNorm1d if flat or len(arch["input"]) == 1 else nn.BatchNorm2d)(layer["channels"])
            elif kind == "linear":
                module = nn.Linear(layer["input"], layer["output"])
            else:
                continue
            self.own[at] = next(names, f"layers.{at}")
            *path, last = self.own[at].split(".")
            place = self
            for part in path:
                if not hasattr(place, part):
                    place.add_module(part, nn.Module())
                place = getattr(place, part)
            place.add_module(last, module)

    def normalise(self, x):
        """What the network was trained on: (x - mean) / deviation, by channel or by feature."""
        if self.mean is None:
            return x
        shape = (1, -1) + (1,) * (x.dim() - 2)
        mean, deviation = (torch.tensor(v, dtype=x.dtype).reshape(shape) for v in (self.mean, self.deviation))
        return (x - mean) / deviation

    def forward(self, x):
        seen = []
        for at, layer in enumerate(self.arch["layers"]):
            kind = layer["kind"]
            if at in self.own:
                x = self.get_submodule(self.own[at])(x)
            elif kind == "activation":
                x = activation(layer.get("of", self.arch["activation"]))(x)
            elif kind in ("max_pool", "avg_pool"):
                size = both(layer["size"])
                pool = F.max_pool2d if kind == "max_pool" else F.avg_pool2d
                x = pool(x, size, both(layer.get("stride", size)), both(layer.get("padding", 0)))
            elif kind == "dropout":
                x = F.dropout(x, layer["rate"], self.training)
            elif kind == "global_mean":
                x = x.mean((2, 3))
            elif kind == "flatten":
                x = x.flatten(1)
            elif kind == "branch":
                x = seen[layer["from"]]
            elif kind == "add":
                x = x + seen[layer["with"]]
            elif kind == "shortcut":
                x = x[:, :, :: layer["stride"], :: layer["stride"]]
                x = torch.stack([torch.zeros_like(x[:, 0]) if c is None else x[:, c] for c in layer["channels"]], 1)
            seen.append(x)
        return x


def load(folder=Path(__file__).parent):
    folder = Path(folder)
    net = Network(json.loads((folder / "arch.json").read_text()))
    net.load_state_dict(load_file(folder / "weights.safetensors"))
    config = json.loads((folder / "config.json").read_text()) if (folder / "config.json").exists() else {}
    net.classes = config.get("classes", [])
    if "normalisation" in config:
        net.mean, net.deviation = config["normalisation"]["mean"], config["normalisation"]["deviation"]
    return net.eval()
