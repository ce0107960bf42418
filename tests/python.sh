#!/usr/bin/env bash
# Builds the Python wheel, installs it into an environment of its own, and runs its tests there:
#     bash tests/python.sh
# The wheel is built with the profile of the tests, so that what they compiled is used again.
set -euo pipefail
cd "$(dirname "$0")/.."
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/env" || { echo "tests/python.sh: install python3-venv" >&2; exit 1; }
"$there/env/bin/pip" install -q maturin numpy scipy matplotlib pytest
"$there/env/bin/maturin" build -q --profile release --manifest-path python/Cargo.toml --out "$there/wheels"
"$there/env/bin/pip" install -q "$there"/wheels/*.whl
cd "$there" # so that the installed module is found, not the folder beside the tests
"$there/env/bin/python" -m pytest -q "$OLDPWD/python/tests" "$@"
