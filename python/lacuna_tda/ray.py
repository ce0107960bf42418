"""Barcodes, trainings and prunings on the machines of a Ray cluster. Ray has to be installed.

:class:`Barcodes` is what ``ray.data`` maps over batches of clouds. :func:`train` and
:func:`compare` run the program ``lacuna`` as Ray tasks; their folders have to be on a disk that all
machines see, and what a killed worker has left there is gone on with. They need the program with
networks, from the package ``lacuna-full`` or by the environment variable ``LACUNA_PROGRAM``.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np
import ray

from ._compute import barcodes


def threads() -> int | None:
    """The threads for this worker: ``LACUNA_THREADS``, else as many as the processors that Ray gave
    it. None where there is no worker."""
    if "LACUNA_THREADS" in os.environ or not ray.is_initialized():
        return None
    context = ray.get_runtime_context()
    if context.worker.mode != ray.WORKER_MODE:
        return None
    given = context.get_assigned_resources().get("CPU")
    return max(1, int(given)) if given else None


def adapter() -> str | None:
    """The PCI address of the GPU that Ray gave this worker; None where it gave none."""
    given = ray.get_gpu_ids() if ray.is_initialized() else []
    if not given:
        return None
    query = ["nvidia-smi", f"--id={given[0]}", "--query-gpu=pci.bus_id", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as why:
        raise RuntimeError(f"Ray gave the GPU {given[0]}, and its PCI address is unknown") from why
    # nvidia-smi writes the domain with eight digits, Vulkan's drivers with four.
    domain, rest = answer.lower().split(":", 1)
    return f"{domain[-4:]}:{rest}"


class Barcodes:
    """A function of batches of clouds, for ``ray.data.Dataset.map_batches``::

        found = clouds.map_batches(Barcodes, batch_size=64, num_cpus=1,
                                   compute=ray.data.ActorPoolStrategy(size=2),
                                   fn_constructor_kwargs={"column": "data"})

    ``column`` names the clouds in a batch (``ray.data.from_numpy`` calls its column ``data``), each of shape (points, features). The batch comes back
    with a column for each dimension, ``H0``, ``H1`` and so on: an array of shape (bars, 2) for each
    cloud. Other arguments are those of :func:`lacuna_tda.barcode`. The native engine gets as many
    threads as Ray gave the worker processors; a worker with a GPU takes that GPU.
    """

    def __init__(self, dim: int = 1, column: str = "points", **options: Any):
        for name in ("edges", "cycles", "cocycles"):
            if options.get(name):
                raise ValueError(f"{name}: a batch gets diagrams alone")
        self.dim = dim
        self.column = column
        self.options = {"threads": threads(), "adapter": adapter(), **options}

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.column not in batch:
            raise ValueError(
                f"a batch has the columns {', '.join(batch)}: name that of the clouds with column="
            )
        column: Any = batch[self.column]
        clouds = column if getattr(column, "dtype", object) != object else list(column)
        found = barcodes(clouds, self.dim, **self.options)
        columns = {}
        for dim in range(self.dim + 1):
            # An array of arrays, whatever their sizes.
            of_dim = np.empty(len(found), object)
            for place, barcode in enumerate(found):
                of_dim[place] = barcode.diagram(dim)
            columns[f"H{dim}"] = of_dim
        return {**batch, **columns}


def _program() -> str:
    program = os.environ.get("LACUNA_PROGRAM") or shutil.which("lacuna")
    if program is None:
        raise FileNotFoundError(
            "the program lacuna is not on PATH: install it, or set LACUNA_PROGRAM to it"
        )
    return program


def _option(name: str, value: Any) -> list[str]:
    """One option of the program; True stands for a switch, None and False for nothing."""
    flag = "--" + name.replace("_", "-")
    if value is None or value is False:
        return []
    return [flag] if value is True else [flag, str(value)]


def _run(arguments: Sequence[str]) -> None:
    """Runs the program in this worker, and raises its own words where it fails."""
    given = threads()
    arguments = [*arguments, "--threads", str(given)] if given else list(arguments)
    done = subprocess.run([_program(), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"lacuna {' '.join(arguments)}: {done.stderr.strip()}")


def _tasks(commands: Iterable[Sequence[str]], num_cpus: float, max_retries: int) -> None:
    """Runs every command as a task. A task whose worker dies is begun again."""
    task = ray.remote(num_cpus=num_cpus, max_retries=max_retries)(_run)
    waiting = [task.remote(command) for command in commands]
    ray.get(waiting)


def train(
    grid: Mapping[str, Sequence[Any]],
    out: str | os.PathLike[str],
    *,
    num_cpus: float = 1,
    max_retries: int = 3,
    **options: Any,
) -> list[tuple[dict[str, Any], Path]]:
    """Trains one network for every combination of a grid of options, each as a task of its own.

    ``grid`` maps options of ``lacuna train`` to their values, ``options`` are the same for all::

        train({"lr": [0.1, 0.03], "seed": [0, 1, 2]}, "runs/grid", epochs=4)

    Returns the combinations and the folders of their runs. A training that was interrupted goes on
    at its last epoch when the same call is made again, and one that is finished is left as it is;
    with more ``epochs`` it goes on. Raises ValueError if a folder was trained with other options.
    """
    for name, values in grid.items():
        if isinstance(values, (str, bytes)):
            raise ValueError(f"{name}={values!r}: a list of values is needed")
    names = list(grid)
    combinations = [dict(zip(names, values)) for values in itertools.product(*grid.values())]
    found, told = [], []
    commands = []
    for combination in combinations:
        name = "-".join(f"{option}={value}" for option, value in combination.items()) or "run"
        folder = Path(out).absolute() / name
        found.append((combination, folder))
        both = {**options, **combination}
        _check_options(folder, both)
        told.append((folder, both))
        flags = [flag for option, value in both.items() for flag in _option(option, value)]
        further = _option("epochs", both.get("epochs"))
        commands.append((["train", *flags, "--out", str(folder)], str(folder), further))
    task = ray.remote(num_cpus=num_cpus, max_retries=max_retries)(_train)
    try:
        ray.get([task.remote(*command) for command in commands])
    finally:
        # What was begun keeps its options, whatever became of the rest.
        for folder, both in told:
            if (folder / "config.json").exists():
                _record(folder).write_text(json.dumps(_strings(both), indent=1) + "\n")
    return found


def _record(folder: Path) -> Path:
    """Where the options of a run are kept: beside its folder."""
    return folder.parent / f"{folder.name}.json"


def _strings(options: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if name != "epochs"}


def _check_options(folder: Path, options: Mapping[str, Any]) -> None:
    """Refuses a folder that was trained with other options; more epochs are allowed."""
    record, told = _record(folder), _strings(options)
    before = json.loads(record.read_text()) if record.exists() else told
    apart = sorted(k for k in {*before, *told} if before.get(k) != told.get(k))
    if apart:
        raise ValueError(
            f"{folder} was trained with other options ({', '.join(apart)}): choose another folder"
        )


def _train(command: Sequence[str], folder: str, further: Sequence[str]) -> None:
    begun = Path(folder, "config.json").exists()
    _run(["train", "--resume", *further, "--out", folder] if begun else command)


def compare(
    run: str | os.PathLike[str],
    by: Sequence[str],
    ratios: Sequence[float],
    out: str | os.PathLike[str],
    *,
    num_cpus: float = 1,
    max_retries: int = 3,
    **options: Any,
) -> list[dict[str, Any]]:
    """Prunes one run by every criterion and share, each pair as a task of its own, and joins the
    results as ``lacuna compare`` writes them. Returns all rows of the folder ``out``, those of
    earlier calls among them.

    ``options`` are those of ``lacuna compare``, such as ``seeds=3``. Pairs that are finished are
    not computed again when the same call is made again.
    """
    if isinstance(by, str) or not len(by) or not len(ratios):
        raise ValueError("by and ratios: lists with at least one criterion and one share")
    out = Path(out).absolute()
    run = Path(run).absolute()
    flags = [flag for name, value in options.items() for flag in _option(name, value)]
    pairs = [(criterion, ratio) for ratio in ratios for criterion in by]
    folders = [
        out / "cells" / f"{criterion.replace(':', '-')}-{ratio}" for criterion, ratio in pairs
    ]
    command = lambda criteria, shares, folder: [
        *("compare", str(run), "--by", criteria, "--ratios", shares, "--out", str(folder)),
        *flags,
    ]
    _tasks(
        [command(c, str(r), folder) for (c, r), folder in zip(pairs, folders)],
        num_cpus,
        max_retries,
    )
    # Every cell is a comparison of one; their rows together are those of the whole.
    for name in ("settings.json", "engine.json"):
        if (folders[0] / name).exists() and not (out / name).exists():
            shutil.copy(folders[0] / name, out / name)
    table = out / "compare.jsonl"
    # What an earlier call found for other pairs stays.
    files = [table] if table.exists() else []
    files += [folder / "compare.jsonl" for folder in folders]
    by_cell = {}
    for line in (line for file in files for line in _lines(file)):
        row = json.loads(line)
        by_cell[row["by"], row["ratio"], row["seed"]] = line
    rows = list(by_cell.values())
    whole = out / "compare.jsonl.new"
    whole.write_text("".join(line + "\n" for line in rows))
    os.replace(whole, table)
    # Nothing is left to compute: it writes the report.
    shares = ",".join(str(ratio) for ratio in ratios)
    _tasks([command(",".join(by), shares, out)], num_cpus, max_retries)
    return [json.loads(line) for line in _lines(table)]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip()]
