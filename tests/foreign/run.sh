#!/usr/bin/env bash
# Builds the Rust crates for aarch64 (NEON and scalar paths) and big-endian s390x, and runs all their tests, the golden
# files among them, under qemu-user.
# Usage: tests/foreign/run.sh [TOOLCHAIN_FOLDER]     needs: x86-64 Debian, cargo, about 1.5 GB in the folder
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${1:-$PWD/target/foreign-toolchain}
tests/foreign/toolchain.sh "$root"
root=$(cd "$root" && pwd)

export RUSTC=$root/rustc RUSTDOC=$root/rustdoc CARGO_TARGET_DIR=$PWD/target/foreign
# Cross binutils and compilers from the folder; the host's own stay in front for build scripts.
export PATH=$PATH:$root/usr/bin
# A qemu test runs tens of times slower: fewer random cases, the same properties.
export PROPTEST_CASES=${PROPTEST_CASES:-8}
packages=(-p lcrs-core -p lcrs-format -p lcrs-codec)

# run MACHINE CARGO_ARGUMENT...: all tests; those that start the program do it under the emulator, too.
run() {
    local machine=$1 upper=${1^^} begin=$SECONDS
    local libraries=$root/usr/$machine-linux-gnu
    local emulator="$root/usr/bin/qemu-$machine -L $libraries"
    env "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_LINKER=$root/usr/bin/$machine-linux-gnu-gcc-12" \
        "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_RUNNER=$emulator" \
        "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Clink-arg=-L$libraries/lib -Clink-arg=-B$libraries/lib" \
        "LCRS_TEST_RUNNER=$emulator" \
        cargo test --profile foreign --locked --target "$machine-unknown-linux-gnu" "${@:2}"
    echo "== $machine: $((SECONDS - begin)) s"
}

echo "== aarch64, fastest path (NEON)"
run aarch64 "${packages[@]}"
echo "== aarch64, scalar path"
LCRS_SIMD=scalar run aarch64 -p lcrs-codec
echo "== s390x (big endian), scalar path"
RUSTC_BOOTSTRAP=1 run s390x -Zbuild-std "${packages[@]}"
echo "== all passed in $SECONDS s"
