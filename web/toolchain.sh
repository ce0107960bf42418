#!/usr/bin/env bash
# Says how to compile for wasm32: prints lines for `eval`, which set RUSTC and a linker where that is needed.
#
#     eval "$(bash web/toolchain.sh)"
#
# With rustup's target (`rustup target add wasm32-unknown-unknown`) there is nothing to set. Without it, Debian's
# rustc-web is unpacked into target/wasm-toolchain, not installed, and its standard library is compiled once.
# Ends with status 3 where neither is to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
target=wasm32-unknown-unknown
if [ -n "$(ls "$(rustc --print sysroot)/lib/rustlib/$target/lib"/libstd-*.rlib 2>/dev/null)" ]; then
    exit 0
fi
home=${LACUNA_WASM:-${CARGO_TARGET_DIR:-$PWD/target}/wasm-toolchain}
missing() {
    echo "web/toolchain.sh: no standard library for $target: run 'rustup target add $target' ($1)" >&2
    exit 3
}
if [ ! -f "$home/ready" ]; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || missing "this is no Debian, whose rustc-web would do"
    rm -rf "$home"
    mkdir -p "$home/debs" "$home/crate/src"
    # The compiler's library and its LLVM have their versions in their names: Debian says which ones belong to it.
    fetch() {
        cd "$home/debs" && apt-get update -qq && apt-get download -qq rustc-web rust-web-src libstd-rust-web-dev &&
            std=$(needed libstd-rust-web-dev_*.deb 'libstd-rust-web-[0-9.]+') && apt-get download -qq "$std" &&
            llvm=$(needed "${std}"_*.deb 'libllvm[0-9]+') && apt-get download -qq "$llvm" &&
            for deb in *.deb; do dpkg -x "$deb" .. || return 1; done
    }
    needed() {
        dpkg-deb -f "$1" Depends | grep -oE "$2" | head -1 | grep .
    }
    (fetch) >&2 || missing "Debian's rustc-web could not be fetched"
    llvm=$(find "$home/usr/lib" -name 'libLLVM*.so*' | head -1)
    cat >"$home/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH=$(dirname "$llvm") exec $home/usr/bin/rustc "\$@"
END
    chmod +x "$home/rustc"
    printf '[package]\nname = "std-for-wasm"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n[workspace]\n' >"$home/crate/Cargo.toml"
    echo >"$home/crate/src/lib.rs"
    libraries=$home/usr/lib/rustlib/$target/lib
    compile() {
        cd "$home/crate" && env -u RUSTFLAGS -u CARGO_TARGET_DIR RUSTC="$home/rustc" RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 \
            cargo build --release -Zbuild-std=std,panic_abort --target "$target" &&
            mkdir -p "$libraries" && cp target/"$target"/release/deps/lib*.rlib "$libraries"
    }
    (compile) >&2 || missing "Debian's standard library did not compile"
    rm -rf "$home/debs" "$home/crate"
    touch "$home/ready"
fi
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | awk '/^host/ {print $2}')/bin/rust-lld
echo "export RUSTC='$home/rustc' CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER='$linker'"
