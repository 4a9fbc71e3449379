#!/usr/bin/env bash
# Builds the Rust crates for aarch64 (NEON and scalar paths) and big-endian s390x, runs their tests under qemu-user.
# Usage: tests/foreign/run.sh [TOOLCHAIN_FOLDER]     needs: x86-64 Debian, cargo, about 1.5 GB in the folder
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${1:-$PWD/target/foreign-toolchain}
tests/foreign/toolchain.sh "$root"
root=$(cd "$root" && pwd)

export RUSTC=$root/rustc RUSTDOC=$root/rustdoc CARGO_TARGET_DIR=$PWD/target/foreign
# Cross binutils and compilers from the folder; the host's own stay in front for build scripts.
export PATH=$PATH:$root/usr/bin
for machine in AARCH64 S390X; do
    lower=${machine,,}
    export "CARGO_TARGET_${machine}_UNKNOWN_LINUX_GNU_LINKER=$root/usr/bin/$lower-linux-gnu-gcc-12"
    export "CARGO_TARGET_${machine}_UNKNOWN_LINUX_GNU_RUNNER=$root/usr/bin/qemu-$lower -L $root/usr/$lower-linux-gnu"
    export "CARGO_TARGET_${machine}_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Clink-arg=-L$root/usr/$lower-linux-gnu/lib -Clink-arg=-B$root/usr/$lower-linux-gnu/lib"
done
# A qemu test runs tens of times slower: fewer random cases, the same properties.
export PROPTEST_CASES=${PROPTEST_CASES:-8}
# The program's own tests start it by a path that a foreign build does not have; everything else runs.
codec_tests=(-p lcrs-codec --lib --test codec --test scans --test transcode --test hostile_files --test hostile_packages)

echo "== aarch64, fastest path (NEON)"
cargo test --release --locked -p lcrs-core -p lcrs-format --target aarch64-unknown-linux-gnu
cargo test --release --locked "${codec_tests[@]}" --target aarch64-unknown-linux-gnu
echo "== aarch64, scalar path"
LCRS_SIMD=scalar cargo test --release --locked "${codec_tests[@]}" --target aarch64-unknown-linux-gnu
echo "== s390x (big endian), scalar path"
RUSTC_BOOTSTRAP=1 cargo test --release --locked -Zbuild-std -p lcrs-core -p lcrs-format --target s390x-unknown-linux-gnu
RUSTC_BOOTSTRAP=1 cargo test --release --locked -Zbuild-std "${codec_tests[@]}" --target s390x-unknown-linux-gnu
