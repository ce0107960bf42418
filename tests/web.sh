#!/usr/bin/env bash
# Builds the engine for browsers and tries it in a headless Chromium. About ten minutes on two cores with nothing built.
#
#     bash tests/web.sh [OPTIONS OF web/test/browser.py]
#
# Ends with status 3 and a line that says so where there is no standard library for the browser or no Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v "${CHROMIUM:-chromium}" >/dev/null || { echo "tests/web.sh: no Chromium is installed (on Debian: apt-get install chromium)" >&2; exit 3; }
target=${CARGO_TARGET_DIR:-$PWD/target}
lacuna=${LACUNA:-$target/release/lacuna}
[ -x "$lacuna" ] || cargo build --release
bash web/build.sh
python3 web/test/browser.py --lacuna "$lacuna" "$@"
