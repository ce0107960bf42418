"""Brings a PyTorch network to Lacuna: `from lacuna_export import export; export(net, (3, 32, 32), "folder")`.

Writes folder/arch.json and folder/weights.safetensors for `lacuna import folder/weights.safetensors
--arch folder/arch.json --data ...`. Needs torch and safetensors. The network is traced by torch.fx;
the first part that Lacuna has no layer for is named.
"""
import json
import operator
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

MODULES = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid", nn.SiLU: "swish", nn.GELU: "gelu", nn.ELU: "elu"}
FUNCTIONS = {F.relu: "relu", torch.relu: "relu", torch.tanh: "tanh", torch.sigmoid: "sigmoid", F.silu: "swish",
             F.gelu: "gelu", F.elu: "elu", "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}


def sides(value):
    """One number where rows and columns are the same, else both."""
    pair = list(value) if isinstance(value, tuple) else [value, value]
    return pair[0] if pair[0] == pair[1] else pair


def activation_of(node, module):
    """Lacuna's name of an activation, or nothing."""
    name = MODULES.get(type(module)) if module is not None else FUNCTIONS.get(node.target)
    exact = getattr(module, "approximate", node.kwargs.get("approximate", "none")) == "none"
    first = getattr(module, "alpha", node.kwargs.get("alpha", 1.0)) == 1.0
    if isinstance(module, nn.LeakyReLU) or node.target is F.leaky_relu:
        slope = module.negative_slope if module is not None else (list(node.args[1:]) + [node.kwargs.get("negative_slope", 0.01)])[0]
        return f"leaky_relu:{slope}"
    return name if exact and first else None


def layer_of(module, shape, where):
    """The layer that does what a module does to maps or vectors of a shape."""
    if isinstance(module, nn.Conv2d) and sides(module.dilation) == 1 and module.padding_mode == "zeros":
        kernel = module.kernel_size
        if module.padding == "same" and any(side % 2 == 0 for side in kernel):
            raise NotImplementedError(f"{where}: padding 'same' needs an odd kernel")
        same = {"same": tuple(side // 2 for side in kernel), "valid": 0}
        padding = same[module.padding] if isinstance(module.padding, str) else module.padding
        return {"kind": "conv", "input": module.in_channels, "output": module.out_channels, "kernel": sides(kernel),
                "stride": sides(module.stride), "padding": sides(padding), "groups": module.groups,
                "bias": module.bias is not None}
    if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)) and module.affine and module.eps == 1e-5:
        return {"kind": "batch_norm", "channels": module.num_features}
    if isinstance(module, nn.Linear) and module.bias is not None:
        return {"kind": "linear", "input": module.in_features, "output": module.out_features}
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)) and not module.ceil_mode:
        largest = isinstance(module, nn.MaxPool2d)
        plain = sides(module.dilation) == 1 if largest else module.divisor_override is None
        if plain and (largest or module.count_include_pad or sides(module.padding) == 0):
            return {"kind": "max_pool" if largest else "avg_pool", "size": sides(module.kernel_size),
                    "stride": sides(module.stride), "padding": sides(module.padding)}
    if isinstance(module, nn.AdaptiveAvgPool2d):
        wanted = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2
        wanted = [side if side is not None else whole for side, whole in zip(wanted, shape[2:])]
        if all(whole % side == 0 for side, whole in zip(wanted, shape[2:])):
            return {"kind": "avg_pool", "size": sides(tuple(whole // side for side, whole in zip(wanted, shape[2:])))}
    if isinstance(module, nn.Flatten):
        return {"kind": "flatten"}
    if isinstance(module, (nn.Dropout, nn.Dropout1d, nn.Dropout2d)):
        return {"kind": "dropout", "rate": module.p}
    raise NotImplementedError(f"{where}: Lacuna has no layer for {module}")


def export(net, shape, folder, name="exported"):
    """Writes arch.json and weights.safetensors of a network for samples of a shape, without the batch."""
    net = net.eval()
    traced = fx.symbolic_trace(net)
    ShapeProp(traced).propagate(torch.zeros(1, *shape))
    modules = dict(traced.named_modules())
    layers, names, place = [], [], {}

    def follow(node, layer):
        """Appends a layer that takes what `node` gave."""
        if place[node] != len(layers) - 1:
            if place[node] < 0:
                raise NotImplementedError("the input of the network is used again later")
            layers.append({"kind": "branch", "from": place[node]})
        layers.append(layer)

    for node in traced.graph.nodes:
        module = modules.get(node.target) if node.op == "call_module" else None
        kind = node.target if module is None else type(module)
        if node.op == "placeholder":
            place[node] = -1
            continue
        if node.op == "output":
            if place[node.args[0]] != len(layers) - 1:
                raise NotImplementedError("the last layer is not what the network returns")
            continue
        came = tuple(node.args[0].meta["tensor_meta"].shape) if isinstance(node.args[0], fx.Node) else ()
        if kind is nn.Identity:
            place[node] = place[node.args[0]]
            continue
        if (activation := activation_of(node, module)) is not None:
            follow(node.args[0], {"kind": "activation", "of": activation})
        elif kind in (operator.add, operator.iadd, torch.add):
            a, b = node.args[:2]
            if not isinstance(a, fx.Node) or not isinstance(b, fx.Node) or node.kwargs:
                raise NotImplementedError(f"{node}: only two outputs of layers can be added")
            if place[a] == len(layers) - 1:
                a, b = b, a
            if place[a] < 0:
                raise NotImplementedError("the input of the network is added later")
            follow(b, {"kind": "add", "with": place[a]})
        elif kind in (torch.flatten, "flatten") and (list(node.args[1:]) + [node.kwargs.get("start_dim", 0)])[0] == 1:
            follow(node.args[0], {"kind": "flatten"})
        elif module is not None:
            layer = layer_of(module, came, node.target)
            follow(node.args[0], layer)
            if layer["kind"] in ("conv", "batch_norm", "linear"):
                names.append(node.target)
        else:
            raise NotImplementedError(f"Lacuna has no layer for {node.target}")
        place[node] = len(layers) - 1
    if len(set(names)) < len(names):
        raise NotImplementedError("a layer is used twice")
    used = Counter(layer["of"] for layer in layers if layer["kind"] == "activation")
    most = used.most_common(1)[0][0] if used else "identity"
    for layer in layers:
        if layer.get("of") == most:
            del layer["of"]
    arch = {"name": name, "input": list(shape), "activation": most, "layers": layers, "names": names}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "arch.json").write_text(json.dumps(arch, indent=2))
    wanted = {k: v.contiguous() for k, v in net.state_dict().items() if "num_batches" not in k}
    save_file(wanted, folder / "weights.safetensors")
    return arch
