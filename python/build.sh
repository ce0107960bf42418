#!/usr/bin/env bash
# Builds the wheels of this folder into wheels/:
#     bash python/build.sh          # lacuna-tda: the module, and the engine's commands as a program
#     bash python/build.sh full     # lacuna-full as well: the program with training and pruning
# It needs Rust 1.95 and Python 3.10 or newer with pip. The first build takes ten minutes or more.
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-$PWD/../target}
export CARGO_TARGET_DIR="$target"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/env" || { echo "python/build.sh: install python3-venv" >&2; exit 1; }
"$tools/env/bin/pip" install -q maturin wheel "setuptools>=77"
profile=${LACUNA_PROFILE:-dist}
program() { # FEATURES FOLDER
    cargo build --manifest-path ../Cargo.toml --profile "$profile" --bin lacuna --no-default-features --features "$1"
    install -m 755 "$target/$profile/lacuna" "$2/lacuna"
}
program cli lacuna_program
"$tools/env/bin/maturin" build --profile "$profile" --out wheels
if [ "${1:-}" = full ]; then
    program cli,nn full/lacuna_full
    # The wheel holds a program for this machine, which setuptools does not know by itself.
    machine=$("$tools/env/bin/python" -c '
import os, platform, sysconfig
if platform.libc_ver()[0] == "glibc":
    print("manylinux_" + platform.libc_ver()[1].replace(".", "_") + "_" + platform.machine())
else:
    print(sysconfig.get_platform().replace("-", "_").replace(".", "_"))
')
    "$tools/env/bin/pip" wheel -q --no-deps --no-build-isolation --wheel-dir "$tools/wheels" ./full
    "$tools/env/bin/wheel" tags --remove --python-tag py3 --abi-tag none --platform-tag "$machine" "$tools"/wheels/lacuna_full-*.whl
    cp "$tools"/wheels/lacuna_full-*.whl wheels/
fi
ls -l wheels
