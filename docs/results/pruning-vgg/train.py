"""Trains the VGG-16 of this folder's tables in PyTorch and saves its weights for `lacuna import`.

    python train.py FOLDER_OF_CIFAR_10_BINARIES vgg.pt [--width 0.25] [--epochs 30] [--threads 2]
    python train.py FOLDER_OF_CIFAR_10_BINARIES more.pt --start vgg.pt --rate 0.05 --epochs 10

VGG-16 with batch norm for 32 x 32 images, all widths times `--width`, the names of torchvision. SGD
with Nesterov momentum 0.9, weight decay 0.0005; the rate rises to 0.1 (`--rate`) over a fifth of the
steps and falls to 0 along a line; batches of 128, mirrored and shifted by up to 4 pixels; label
smoothing 0.1. No test image is looked at before the end.
"""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

PLAN = [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]
MEAN, DEVIATION = 0.473, 0.251


def network(width):
    layers, channels = [], 3
    for filters in PLAN:
        if filters == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        filters = max(1, round(filters * width))
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(filters), nn.ReLU()]
        channels = filters
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(*layers))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Linear(channels, 10))
    return net


def images(folder, names):
    batches = [np.fromfile(f"{folder}/{n}.bin", np.uint8).reshape(-1, 3073) for n in names]
    raw = np.concatenate(batches)
    pixels = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).copy())
    return pixels, torch.from_numpy(raw[:, 0].astype(np.int64))


def normalised(x):
    return ((x.float() / 255 - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def augmented(x):
    n = len(x)
    flipped = torch.where((torch.rand(n) < 0.5)[:, None, None, None], x.flip(3), x)
    wide = F.pad(flipped, (4, 4, 4, 4))
    down, right = torch.randint(9, (n, 1)), torch.randint(9, (n, 1))
    rows = (down + torch.arange(32))[:, None, :, None].expand(n, 3, 32, 40)
    columns = (right + torch.arange(32))[:, None, None, :].expand(n, 3, 32, 32)
    return wide.gather(2, rows).gather(3, columns).contiguous(memory_format=torch.channels_last)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--start", help="weights of the same width to go on with")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    x, y = images(options.data, [f"data_batch_{i}" for i in range(1, 6)])
    net = network(options.width).to(memory_format=torch.channels_last)
    if options.start:
        net.load_state_dict(torch.load(options.start))
    steps = options.epochs * (len(x) // 128)
    optimiser = torch.optim.SGD(
        net.parameters(), options.rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    rate = lambda s: min(s / (0.2 * steps), (steps - s) / (0.8 * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: max(rate(s), 1e-3))
    for epoch in range(options.epochs):
        total, right = 0.0, 0
        for batch in torch.randperm(len(x))[: len(x) // 128 * 128].split(128):
            logits = net(augmented(normalised(x[batch])))
            loss = F.cross_entropy(logits, y[batch], label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total, right = total + loss.item(), right + (logits.argmax(1) == y[batch]).sum().item()
        batches = len(x) // 128
        share = 100 * right / (128 * batches)
        print(f"epoch {epoch + 1}: loss {total / batches:.4f}, {share:.2f} % right", flush=True)
        torch.save(net.state_dict(), options.out)
    net.eval()
    x, y = images(options.data, ["test_batch"])
    with torch.no_grad():
        parts = zip(x.split(500), y.split(500))
        right = sum((net(normalised(a)).argmax(1) == b).sum().item() for a, b in parts)
    print(f"test: {right / len(x):.4f}")


if __name__ == "__main__":
    main()
