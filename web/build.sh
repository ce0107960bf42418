#!/usr/bin/env bash
# Builds the npm package `lacuna` and the page: both into web/dist, or into the folder that is given.
#
#     bash web/build.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-web/dist}
lines=$(bash web/toolchain.sh)
target=${CARGO_TARGET_DIR:-$PWD/target}
# The program that writes the JavaScript around the engine; for this machine.
CARGO_TARGET_DIR=$target/bindgen cargo build --quiet --release --manifest-path web/bindgen/Cargo.toml
eval "$lines"
# What is not the engine is compiled for size. Every browser with WebGPU has the vector instructions, and so have those of the last three years without it.
CARGO_TARGET_DIR=$target/wasm CARGO_INCREMENTAL=0 RUSTFLAGS="-C target-feature=+simd128" \
    cargo build --quiet --release --config 'profile.release.panic="abort"' --config 'profile.release.codegen-units=1' \
    --config 'profile.release.package."*".opt-level="s"' \
    -p lacuna-web --target wasm32-unknown-unknown
rm -rf "$out"
mkdir -p "$out/page"
"$target/bindgen/release/bindgen" "$target/wasm/wasm32-unknown-unknown/release/lacuna_web.wasm" "$out"
cp web/js/* LICENSE-* "$out"
# The page is a folder of its own that any server can serve.
cp "$out"/{engine.js,engine_bg.wasm,lacuna.js,worker.js} web/page/* assets/barcode/draw.{js,css} assets/nine-holes.csv "$out/page"
echo "web/build.sh: $out, with $(cat "$out/page"/* | gzip -9 | wc -c) bytes compressed in $out/page"
