"""Barcodes on a Ray cluster of this machine's own, of two workers."""

import os
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

import lacuna_tda as lt

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

from lacuna_tda.ray import Barcodes, _program, compare, train  # noqa: E402

CLOUDS = np.random.default_rng(0).normal(size=(2000, 60, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def cluster():
    # The workers find this file, too.
    here = {"PYTHONPATH": os.path.dirname(__file__)}
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": here}
    )
    yield
    ray.shutdown()


class Slowly(Barcodes):
    """Says who works, and takes its time."""

    def __init__(self, folder: str, **options):
        super().__init__(**options)
        with open(os.path.join(folder, str(os.getpid())), "w"):
            pass

    def __call__(self, batch):
        time.sleep(0.05)
        return super().__call__(batch)


def mapped(kind, **constructor):
    """The diagrams of dimension 1 of all clouds, in their order."""
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    clouds = ray.data.from_numpy(np.array_split(CLOUDS, 20))
    options = {"column": "data", **constructor}
    found = clouds.map_batches(
        kind, batch_size=50, concurrency=2, num_cpus=1, fn_constructor_kwargs=options
    )
    return [np.asarray(row["H1"]).reshape(-1, 2) for row in found.take_all()]


def equal_to_one_process(found):
    want = lt.barcodes(CLOUDS)
    assert len(found) == len(want) == 2000
    for got, one in zip(found, want):
        np.testing.assert_array_equal(got, one.diagram(1))


def test_two_workers_find_what_one_process_finds(cluster):
    equal_to_one_process(mapped(Barcodes))


def test_a_killed_worker_is_no_loss(cluster, tmp_path):
    killed = []

    def kill():
        end = time.monotonic() + 60
        while not os.listdir(tmp_path) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.3)
        killed.extend(int(name) for name in os.listdir(tmp_path)[:1])
        for process in killed:
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = mapped(Slowly, folder=str(tmp_path))
    killer.join()
    equal_to_one_process(found)
    assert killed


def has_networks():
    try:
        known = subprocess.run([_program(), "help"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        return False
    return " train " in known


@pytest.mark.skipif(not has_networks(), reason="LACUNA_PROGRAM is no program with networks")
def test_trainings_and_comparisons_are_tasks(cluster, tmp_path):
    grid = {"lr": [0.01, 0.003]}
    found = train(grid, tmp_path / "runs", data="disks", epochs=1)
    assert [combination for combination, _ in found] == [{"lr": 0.01}, {"lr": 0.003}]
    assert all((folder / "weights.safetensors").exists() for _, folder in found)
    weights = [(folder / "weights.safetensors").read_bytes() for _, folder in found]
    assert train(grid, tmp_path / "runs", data="disks", epochs=1) == found
    assert weights == [(folder / "weights.safetensors").read_bytes() for _, folder in found]
    with pytest.raises(Exception, match="no-such-option"):
        train(grid, tmp_path / "bad", no_such_option=1)
    with pytest.raises(ValueError, match="other options"):
        train(grid, tmp_path / "runs", data="torus", epochs=1)
    images = train({"seed": [0]}, tmp_path / "images", epochs=1)[0][1]
    rows = compare(images, ["l1", "random"], [0.25], tmp_path / "c", recover_steps=0, seeds=1)
    assert {row["by"] for row in rows} == {"l1", "random"}
    more = compare(images, ["l2"], [0.25], tmp_path / "c", recover_steps=0, seeds=1)
    assert len(more) == len(rows) + 1
    assert (tmp_path / "c" / "report.md").exists()


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="columns data"):
        Barcodes()({"data": CLOUDS[:2]})
    with pytest.raises(ValueError, match="diagrams alone"):
        Barcodes(edges=True)
    with pytest.raises(ValueError, match="list of values"):
        train({"data": "disks"}, tmp_path)
    with pytest.raises(ValueError, match="lists"):
        compare(tmp_path, "l1", [0.5], tmp_path)


def test_a_worker_has_the_threads_that_it_was_given(cluster):
    @ray.remote(num_cpus=2)
    def asked():
        from lacuna_tda.ray import adapter, threads

        return threads(), adapter()

    assert ray.get(asked.remote()) == (2, None)
    assert Barcodes().options["threads"] is None, "this process is no worker"


def test_a_worker_takes_the_gpu_that_it_was_given(monkeypatch, tmp_path):
    from lacuna_tda.ray import adapter

    # What NVIDIA's program answers for the second GPU.
    answers = tmp_path / "nvidia-smi"
    answers.write_text('#!/bin/sh\n[ "$1" = --id=1 ] && echo 00000000:3B:00.0\n')
    answers.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: ["1"])
    assert adapter() == "0000:3b:00.0"
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: ["7"])
    with pytest.raises(RuntimeError, match="GPU 7"):
        adapter()
