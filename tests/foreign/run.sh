#!/usr/bin/env bash
# Builds the Rust crates for aarch64 (NEON and scalar paths) and big-endian s390x, and runs their tests, the golden
# files among them, under qemu-user. Both at a time; what they print is in target/foreign/MACHINE.log.
# Usage: tests/foreign/run.sh [TOOLCHAIN_FOLDER]     needs: x86-64 Debian, cargo, about 1.5 GB in the folder
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${1:-$PWD/target/foreign-toolchain}
tests/foreign/toolchain.sh "$root"
root=$(cd "$root" && pwd)

export RUSTC=$root/rustc
# Cross binutils and compilers from the folder; the host's own stay in front for build scripts.
export PATH=$PATH:$root/usr/bin
# A qemu test runs tens of times slower: fewer random cases, the same properties. Left out is what no processor changes: damage
# of every byte, rates (if the bytes are the same), the geometry of strips, limits of memory.
export PROPTEST_CASES=${PROPTEST_CASES:-8}
packages=(-p lcrs-core -p lcrs-format -p lcrs-codec --lib --bins --tests)
skipped=(--skip rans::rate:: --skip damaged_ --skip every_geometry --skip memory_has_limits)

# run MACHINE CARGO_ARGUMENT...: tests; those that start the program do it under the emulator, too.
run() {
    local machine=$1 upper=${1^^}
    local libraries=$root/usr/$machine-linux-gnu
    local emulator="$root/usr/bin/qemu-$machine -L $libraries"
    env "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_LINKER=$root/usr/bin/$machine-linux-gnu-gcc-12" \
        "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_RUNNER=$emulator" \
        "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Clink-arg=-L$libraries/lib -Clink-arg=-B$libraries/lib" \
        "LCRS_TEST_RUNNER=$emulator" "CARGO_TARGET_DIR=$PWD/target/foreign/$machine" \
        cargo test --profile foreign --locked --target "$machine-unknown-linux-gnu" "${@:2}"
}

aarch64() {
    echo "== aarch64, fastest path (NEON)"
    run aarch64 "${packages[@]}" -- "${skipped[@]}"
    echo "== aarch64, scalar path"
    LCRS_SIMD=scalar run aarch64 -p lcrs-codec --test it -- golden:: scans:: gains:: "${skipped[@]}"
}

# Scalar code, of which the host tests wide layers and garbage: what is tested here is the order of bytes.
s390x() {
    echo "== s390x (big endian), scalar path"
    RUSTC_BOOTSTRAP=1 run s390x -Zbuild-std "${packages[@]}" -- "${skipped[@]}" --skip wide_ --skip rans::hostile:: --skip hostile_bodies
}

mkdir -p target/foreign
declare -A jobs
for machine in aarch64 s390x; do
    (set -e; "$machine") >"target/foreign/$machine.log" 2>&1 &
    jobs[$machine]=$!
done
failed=0
for machine in aarch64 s390x; do
    if wait "${jobs[$machine]}"; then
        echo "== $machine: $(grep -c '^test .* ok$' "target/foreign/$machine.log") tests passed after $SECONDS s"
    else
        tail -n 60 "target/foreign/$machine.log"
        echo "== $machine FAILED: target/foreign/$machine.log"
        failed=1
    fi
done
exit "$failed"
