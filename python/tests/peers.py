#!/usr/bin/env python3
"""Runs the test suites of the packages that ``lacuna_tda.compat`` takes the place of.

    python python/tests/peers.py                  # all of them
    python python/tests/peers.py ripser gph       # some
    python python/tests/peers.py --from FOLDER    # of copies: FOLDER/owner/name/path/in/repository

The suites are downloaded when they run, at the commits below; their licences are their own. Needed
are this module, ``pytest``, and what each suite names under ``needs``. A test that is known to fail
stands below with the reason. If it passes, or another one fails, the run fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

FIELD = "it asks for coefficients other than Z/2"
ITSELF = "it tests the package's own internals, and nothing that this module stands for"

SUITES = {
    "ripser": {
        "repository": "scikit-tda/ripser.py",
        "commit": "87ead88fe30534f1c2edc090a55d9aaa9c06cb79",
        "files": [
            "tests/test_ripser.py",
            "tests/test_ripser_sklearn.py",
            "tests/test_lower_star.py",
        ],
        "needs": ["sklearn", "scipy", "persim", "matplotlib"],
        "fail": {
            "test_ripser.py::TestParams::test_coeff": FIELD,
            "test_ripser_sklearn.py::TestParams::test_coeff": FIELD,
        },
    },
    "gph": {
        "repository": "giotto-ai/giotto-ph",
        "commit": "21397fcefe2164f3f95f2c34ed494d7946e31998",
        "files": ["gph/python/test/test_ripser.py", "gph/python/test/test_wrp.py"],
        "needs": ["hypothesis", "scipy"],
        "fail": {
            "test_ripser.py::test_collapse_consistent_with_no_collapse_dense[7-False]": FIELD,
            "test_ripser.py::test_collapse_consistent_with_no_collapse_dense[7-True]": FIELD,
            "test_ripser.py::test_collapse_consistent_with_no_collapse_coo[7-False]": FIELD,
            "test_ripser.py::test_collapse_consistent_with_no_collapse_coo[7-True]": FIELD,
        },
    },
    "gtda": {
        "repository": "giotto-ai/giotto-tda",
        "commit": "dd50a58e850554027ea955c01947244e5318832a",
        "files": ["gtda/homology/tests/test_simplicial.py"],
        "needs": ["sklearn", "scipy", "plotly", "hypothesis"],
        "only": ["test_vrp", "test_wrp"],
        "leave": {"WeakAlphaPersistence": "it tests another class"},
        "fail": {},
    },
    "gudhi": {
        "repository": "GUDHI/gudhi-devel",
        "commit": "68ebe62dc4caca250c8064ed720a2b8080318a57",
        "files": ["src/python/test/test_sklearn_rips_persistence.py"],
        "needs": ["gudhi", "sklearn", "scipy", "pandas", "joblib"],
        "leave": {"test_ripser_interfaces": ITSELF},
        "fail": {"test_sklearn_rips_persistence.py::test_big": "it asks for dimensions up to 24"},
    },
    "torch_topological": {
        "repository": "aidos-lab/pytorch-topological",
        "commit": "8aca6dbb87d0b03902df657528f53c06184a63c6",
        "files": ["tests/test_vietoris_rips_complex.py"],
        "needs": ["torch", "torch_topological", "gudhi", "ot"],
        "fail": {},
    },
}

CONFTEST = """\
import sys, types, json, os
import pytest

suite = json.loads(os.environ["LACUNA_SUITE"])
name = suite["name"]

def module(name, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made

if name == "ripser":
    import lacuna_tda.compat.ripser
    sys.modules["ripser"] = lacuna_tda.compat.ripser
if name in ("gph", "torch_topological"):
    from lacuna_tda.compat.gph import ripser_parallel
    field = types.SimpleNamespace(get_max_coefficient_field_supported=lambda: 46337)
    module("gph", ripser_parallel=ripser_parallel)
    module("gph.modules", gph_ripser=field)
if name == "gtda":
    from lacuna_tda.compat import gtda
    others = ("SparseRipsPersistence", "WeakAlphaPersistence", "EuclideanCechPersistence",
              "FlagserPersistence")
    module("gtda")
    module("gtda.homology", VietorisRipsPersistence=gtda.VietorisRipsPersistence,
           WeightedRipsPersistence=gtda.WeightedRipsPersistence,
           **{other: type(other, (), {}) for other in others})
    import plotly.graph_objects
    plotly.graph_objects.Figure.show = lambda self, *args, **kwargs: None
if name == "gudhi":
    import gudhi.sklearn
    from lacuna_tda.compat.gudhi import RipsPersistence
    gudhi.sklearn.RipsPersistence = RipsPersistence
if name == "torch_topological":
    import torch_topological.nn
    from lacuna_tda.compat.torch_topological import VietorisRipsComplex
    torch_topological.nn.VietorisRipsComplex = VietorisRipsComplex

def pytest_collection_modifyitems(config, items):
    only, leave = suite.get("only"), suite.get("leave", {})
    kept = []
    for item in items:
        node = item.nodeid.split("/")[-1]
        if only and not any(item.name.startswith(start) for start in only):
            continue
        if any(part in node for part in leave):
            continue
        if node in suite["fail"]:
            item.add_marker(pytest.mark.xfail(reason=suite["fail"][node], strict=True))
        kept.append(item)
    missing = set(suite["fail"]) - {item.nodeid.split("/")[-1] for item in kept}
    if missing:
        raise pytest.UsageError(f"no such tests: {missing}")
    items[:] = kept

counted = {}

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        function = report.nodeid.split("[")[0]
        fine = report.passed and not hasattr(report, "wasxfail")
        counted[function] = counted.get(function, True) and fine

def pytest_terminal_summary(terminalreporter):
    fine = sum(counted.values())
    terminalreporter.write_line(f"{name}: {fine} of {len(counted)} test functions pass")
    for node, reason in suite["fail"].items():
        terminalreporter.write_line(f"  known to fail: {node}: {reason}")
    for part, reason in suite.get("leave", {}).items():
        terminalreporter.write_line(f"  left out: {part}: {reason}")
"""


def fetched(suite: dict, copies: Path | None, into: Path) -> list[str]:
    """Brings the files of a suite, and returns where they are."""
    found = []
    for path in suite["files"]:
        if copies is not None:
            text = (copies / suite["repository"] / path).read_bytes()
        else:
            source = "https://raw.githubusercontent.com"
            url = f"{source}/{suite['repository']}/{suite['commit']}/{path}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                text = answer.read()
        (into / Path(path).name).write_bytes(text)
        found.append(Path(path).name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--from", dest="copies", type=Path, help="folder with copies of the suites")
    asked = parser.parse_args()
    unknown = set(asked.suites) - set(SUITES)
    if unknown:
        parser.error(f"unknown suite {unknown.pop()}: use {', '.join(SUITES)}")
    failed = []
    for name in asked.suites or SUITES:
        suite = {"name": name, **SUITES[name]}
        lacking = [p for p in suite["needs"] if importlib.util.find_spec(p) is None]
        if lacking:
            print(f"{name}: install {', '.join(lacking)} to run this suite", file=sys.stderr)
            failed.append(name)
            continue
        with tempfile.TemporaryDirectory() as folder:
            files = fetched(suite, asked.copies, Path(folder))
            Path(folder, "conftest.py").write_text(CONFTEST)
            command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
            environment = {**os.environ, "LACUNA_SUITE": json.dumps(suite)}
            if subprocess.run([*command, *files], cwd=folder, env=environment).returncode:
                failed.append(name)
    if failed:
        print(f"not as expected: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
