"""Barcodes on a Ray cluster of this machine's own, of two workers."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import lacuna_tda as lt

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

from lacuna_tda.ray import Barcodes  # noqa: E402

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
    assert killed and len(os.listdir(tmp_path)) >= 3, "nobody took the place of the killed worker"


def test_a_worker_has_the_threads_that_it_was_given(cluster):
    @ray.remote(num_cpus=2)
    def asked():
        from lacuna_tda.ray import adapter, threads

        return threads(), adapter()

    assert ray.get(asked.remote()) == (2, None)
