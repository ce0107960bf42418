#!/usr/bin/env bash
# Checks that the engine and its program compile for Windows and macOS, by a Debian without either. Nothing is linked.
#
#     bash tests/systems.sh
#
# With rustup's targets a plain `cargo check --target` does it. Without them the standard libraries are checked as well,
# from the sources that web/toolchain.sh unpacks. Ends with status 3 and a line that says so where these are not to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
lines=$(bash web/toolchain.sh)
target=${CARGO_TARGET_DIR:-$PWD/target}
build=()
if [ -n "$lines" ]; then
    eval "$lines"
    export RUSTC_BOOTSTRAP=1
    build=(-Zbuild-std=std,panic_unwind)
fi
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
# In a check nothing is linked, so an empty object does for the few lines of assembler in a dependency.
cat >"$there/cc" <<'END'
#!/bin/sh
for word in "$@"; do
    [ "$last" = -o ] && : >"$word"
    case "$word" in *.a) : >"$word" ;; esac
    last=$word
done
END
chmod +x "$there/cc"
if ! command -v x86_64-w64-mingw32-dlltool >/dev/null; then
    (cd "$there" && apt-get download -qq binutils-mingw-w64-x86-64 && dpkg -x binutils-mingw*.deb mingw) >&2 \
        || { echo "tests/systems.sh: no dlltool for Windows (on Debian: binutils-mingw-w64-x86-64)" >&2; exit 3; }
    export PATH=$there/mingw/usr/bin:$PATH LD_LIBRARY_PATH=$there/mingw/usr/lib/x86_64-linux-gnu
fi
for system in x86_64-pc-windows-gnu aarch64-apple-darwin; do
    name=${system//-/_}
    env "CC_$name=$there/cc" "AR_$name=$there/cc" CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$target/systems" \
        cargo check --quiet "${build[@]}" --no-default-features --features cli --target "$system"
    echo "tests/systems.sh: the engine and the program compile for $system"
done
