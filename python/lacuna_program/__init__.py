"""Runs the program ``lacuna`` that came with this package.

It lies in the package itself and has the commands of the engine. If ``lacuna-full`` is installed
too, its program is run, which also trains and prunes networks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def path() -> Path:
    """Where the program is.

    Raises FileNotFoundError in a package that was built without it.
    """
    try:
        import lacuna_full

        folder = Path(lacuna_full.__file__).parent
    except ImportError:
        folder = Path(__file__).parent
    program = folder / ("lacuna.exe" if os.name == "nt" else "lacuna")
    if not program.is_file():
        raise FileNotFoundError(
            f"{program} is not there: the package was built without the program"
        )
    return program


def main() -> None:
    """The program in place of this process, with its arguments."""
    try:
        program = str(path())
    except FileNotFoundError as why:
        sys.exit(f"lacuna: {why}")
    if os.name == "nt":
        sys.exit(subprocess.call([program, *sys.argv[1:]]))
    os.execv(program, [program, *sys.argv[1:]])
