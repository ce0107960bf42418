#!/usr/bin/env bash
# Runs every test, those of the GPU engine included. On Debian and Ubuntu it installs what they need and the machine lacks:
# a C++ compiler (for the original Ripser, which is an oracle) and, where no adapter is found, the software Vulkan driver.
set -euo pipefail
cd "$(dirname "$0")/.."

install() {
    if ! command -v apt-get >/dev/null; then
        echo "tests/run.sh: this machine lacks $2; install it with your system's packages and run again" >&2
        exit 1
    fi
    local root=()
    if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
    echo "installing $1: this machine lacks $2" >&2
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
}

command -v cargo >/dev/null || { echo "tests/run.sh: cargo is missing; install Rust 1.95 or newer" >&2; exit 1; }
command -v c++ >/dev/null || install g++ "a C++ compiler"

# Mesa complains when this is missing, as it is on a machine without a desktop.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}"

# This package alone is compiled with the checks that a release leaves out.
checks=(--config profile.release.package.lacuna.debug-assertions=true --config profile.release.package.lacuna.overflow-checks=true)
cargo test --release "${checks[@]}" --no-run
lacuna() { "${CARGO_TARGET_DIR:-target}/release/lacuna" "$@"; }
if ! lacuna devices --json | grep -q '"index"'; then
    install mesa-vulkan-drivers "a GPU adapter"
    lacuna devices --json | grep -q '"index"' \
        || { echo "tests/run.sh: still no GPU adapter; see 'lacuna devices'" >&2; exit 1; }
fi
lacuna devices
# Some tests compare with other programs, where a Python has them.
has() { python3 -c "import $1" 2>/dev/null; }
if [ -z "${LACUNA_ONNX:-}" ] && has onnxruntime,numpy; then export LACUNA_ONNX=python3; fi
if [ -z "${LACUNA_TENSORBOARD:-}" ] && has tensorboard; then export LACUNA_TENSORBOARD=python3; fi
if [ -z "${LACUNA_PYTORCH:-}" ] && has torch,safetensors; then export LACUNA_PYTORCH=python3; fi
cargo test --release "${checks[@]}" "$@"
