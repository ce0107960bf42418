#!/usr/bin/env bash
# Builds the Python wheel, installs it into an environment of its own, and runs its tests there:
#     bash tests/python.sh
# The wheel is built with the profile of the tests, so that what they compiled is used again. Where
# LACUNA_PYTORCH names a Python that has PyTorch, gradients are tested with it.
set -euo pipefail
cd "$(dirname "$0")/.."
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/env" || { echo "tests/python.sh: install python3-venv" >&2; exit 1; }
python=$there/env/bin/python
"$python" -m pip install -q maturin mypy numpy scipy matplotlib pytest scikit-learn pandas persim gudhi "ray[data]"
if [ -n "${LACUNA_PYTORCH:-}" ]; then
    found=$("$LACUNA_PYTORCH" -c 'import torch, pathlib; print(pathlib.Path(torch.__file__).parents[1])')
    own=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$found" >"$own/pytorch.pth"
fi
"$there/env/bin/maturin" build -q --profile release --manifest-path python/Cargo.toml --out "$there/wheels"
"$python" -m pip install -q "$there"/wheels/*.whl
tests=$PWD/python/tests
program=${CARGO_TARGET_DIR:-$PWD/target}/release/lacuna
[ -n "${LACUNA_PROGRAM:-}" ] || [ ! -x "$program" ] || export LACUNA_PROGRAM="$program"
cd "$there" # so that the installed module is found, not the folder beside the tests
# The stubs say what the compiled module has, and the Python files keep to their types.
"$python" -m mypy.stubtest lacuna_tda._core
"$python" -m mypy --python-version 3.10 --ignore-missing-imports -p lacuna_tda
"$python" -m pytest -q -p no:cacheprovider "$tests" "$@"
