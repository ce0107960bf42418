"""Brings a PyTorch network to Lacuna: `from lacuna_export import export; export(net, (3, 32, 32), "folder")`.

Writes folder/arch.json and folder/weights.safetensors for `lacuna import folder/weights.safetensors
--arch folder/arch.json --data ...`. Needs torch and safetensors. The network is traced by torch.fx;
the first part that Lacuna has no layer for is named.
"""
import json
import operator
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import fx, nn

ACTIVATIONS = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid", nn.SiLU: "swish",
               nn.GELU: "gelu",
               nn.ELU: "elu", F.relu: "relu", torch.relu: "relu", torch.tanh: "tanh", F.silu: "swish",
               torch.sigmoid: "sigmoid", F.gelu: "gelu", F.elu: "elu", "relu": "relu", "tanh": "tanh"}


def one(value):
    """A size that is the same in both directions."""
    pair = value if isinstance(value, tuple) else (value, value)
    if len(set(pair)) != 1:
        raise NotImplementedError(f"a size of {pair}: both sides must be equal")
    return pair[0]


def layer_of(module, where):
    if isinstance(module, nn.Conv2d):
        kernel, same = one(module.kernel_size), module.padding == "same"
        plain = module.groups == 1 and one(module.dilation) == 1 and module.padding_mode == "zeros"
        if not plain or kernel % 2 == 0:
            raise NotImplementedError(f"{where}: only odd kernels, one group, no dilation, zeros around")
        return {"kind": "conv", "input": module.in_channels, "output": module.out_channels, "kernel": kernel,
                "stride": one(module.stride), "padding": kernel // 2 if same else one(module.padding),
                "bias": module.bias is not None}
    if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)) and module.affine and module.eps == 1e-5:
        return {"kind": "batch_norm", "channels": module.num_features}
    if isinstance(module, nn.Linear) and module.bias is not None:
        return {"kind": "linear", "input": module.in_features, "output": module.out_features}
    tiles = isinstance(module, nn.MaxPool2d) and one(module.stride) == one(module.kernel_size)
    if tiles and one(module.padding) == 0:
        return {"kind": "max_pool", "size": one(module.kernel_size)}
    if isinstance(module, nn.AdaptiveAvgPool2d) and one(module.output_size) == 1:
        return {"kind": "global_mean"}
    if isinstance(module, nn.Flatten):
        return {"kind": "flatten"}
    raise NotImplementedError(f"{where}: Lacuna has no layer for {module}")


def export(net, shape, folder, name="exported"):
    net = net.eval()
    traced = fx.symbolic_trace(net)
    modules = dict(traced.named_modules())
    layers, names, activations, place = [], [], set(), {}

    def follow(node, layer):
        """Appends a layer that takes what `node` gave."""
        at = place[node]
        if at != len(layers) - 1:
            if at < 0:
                raise NotImplementedError("the input of the network is used again later")
            layers.append({"kind": "branch", "from": at})
        if layer == {"kind": "flatten"} and layers and layers[-1] == {"kind": "global_mean"}:
            return  # a mean over the plane is flat already
        layers.append(layer)

    for node in traced.graph.nodes:
        module = modules.get(node.target) if node.op == "call_module" else None
        kind = type(module) if module is not None else node.target
        if node.op == "placeholder":
            place[node] = -1
            continue
        if node.op == "output":
            if place[node.args[0]] != len(layers) - 1:
                raise NotImplementedError("the last layer is not what the network returns")
            continue
        if isinstance(module, (nn.Identity, nn.Dropout, nn.Dropout2d)):
            place[node] = place[node.args[0]]  # passes everything on once the network is trained
            continue
        if kind in ACTIVATIONS:
            activations.add(ACTIVATIONS[kind])
            follow(node.args[0], {"kind": "activation"})
        elif kind in (operator.add, operator.iadd, torch.add):
            a, b = node.args[:2]
            if place[a] == len(layers) - 1:
                a, b = b, a
            if place[a] < 0:
                raise NotImplementedError("the input of the network is added later")
            follow(b, {"kind": "add", "with": place[a]})
        elif kind in (torch.flatten, "flatten"):
            follow(node.args[0], {"kind": "flatten"})
        elif module is not None:
            layer = layer_of(module, node.target)
            follow(node.args[0], layer)
            if layer["kind"] in ("conv", "batch_norm", "linear"):
                names.append(node.target)
        else:
            raise NotImplementedError(f"Lacuna has no layer for {node.target}")
        place[node] = len(layers) - 1
    if len(activations) > 1:
        raise NotImplementedError(f"one activation for the whole network, not {sorted(activations)}")
    if len(set(names)) < len(names):
        raise NotImplementedError("a layer is used twice")
    arch = {"name": name, "input": list(shape), "activation": next(iter(activations), "identity"),
            "layers": layers, "names": names}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "arch.json").write_text(json.dumps(arch, indent=2))
    wanted = {k: v.contiguous() for k, v in net.state_dict().items() if "num_batches" not in k}
    save_file(wanted, folder / "weights.safetensors")
    return arch
