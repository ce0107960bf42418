"""The program that comes along."""

import os
import subprocess
import sys

import pytest

RUN = [sys.executable, "-c", "import lacuna_program; lacuna_program.main()"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_whole_program_comes_first(tmp_path):
    folder = tmp_path / "lacuna_full"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    program = folder / "lacuna"
    program.write_text('#!/bin/sh\necho "whole: $@"\nexit 3\n')
    program.chmod(0o755)
    done = subprocess.run(
        [*RUN, "train", "--out", "a b"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (3, "whole: train --out a b\n")


def test_a_package_without_its_program_says_so(tmp_path):
    folder = tmp_path / "lacuna_full"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(RUN, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "built without the program" in done.stderr
