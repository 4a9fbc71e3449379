#!/usr/bin/env bash
# Fetches what builds and runs aarch64 and s390x programs on an x86-64 Debian, into one folder, without installing it:
# Debian's rustc with its foreign standard libraries (its own cargo is not needed), qemu-user, and cross linkers.
# Usage: tests/foreign/toolchain.sh FOLDER
set -euo pipefail
root=$(mkdir -p "$1" && cd "$1" && pwd)
[ -e "$root/.complete" ] && exit 0

# A private apt: the system's own Debian sources, with the backports suite and the foreign architecture added.
apt=$root/apt
mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,sources.d,debs}
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ -e "$file" ] && sed -E 's/^(Suites: .*)bookworm-updates/\1bookworm-updates bookworm-backports/' "$file" \
        >"$apt/sources.d/$(basename "$file" .list)$([ "${file##*.}" = list ] && echo .list || true)"
done
cat >"$apt/conf" <<CONF
Dir::State "$apt/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources.d";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
CONF
export APT_CONFIG=$apt/conf
apt-get -qq update
rust=$(apt-cache madison libstd-rust-web-1.96 | awk 'NR == 1 { print $3 }')
cd "$apt/debs"
apt-get -qq download "rustc-web=$rust" "libstd-rust-web-1.96=$rust" "rust-web-src=$rust" libllvm22 \
    "libstd-rust-web-dev:amd64=$rust" "libstd-rust-web-dev:arm64=$rust" qemu-user/bookworm-backports \
    gcc-12-aarch64-linux-gnu gcc-12-aarch64-linux-gnu-base gcc-12-cross-base cpp-12-aarch64-linux-gnu \
    binutils-aarch64-linux-gnu libc6-arm64-cross libc6-dev-arm64-cross linux-libc-dev-arm64-cross \
    libgcc-12-dev-arm64-cross libgcc-s1-arm64-cross \
    gcc-12-s390x-linux-gnu gcc-12-s390x-linux-gnu-base cpp-12-s390x-linux-gnu \
    binutils-s390x-linux-gnu libc6-s390x-cross libc6-dev-s390x-cross linux-libc-dev-s390x-cross \
    libgcc-12-dev-s390x-cross libgcc-s1-s390x-cross
for deb in *.deb; do dpkg -x "$deb" "$root"; done
# Linker scripts name absolute paths; plain names are searched for beside them.
for machine in aarch64 s390x; do
    sed -i "s|/usr/$machine-linux-gnu/lib/||g" "$root/usr/$machine-linux-gnu/lib/libc.so"
done
# rustc finds its own library by name, wherever the folder lies. (A plain sh would drop cargo's CARGO_BIN_EXE_lcrs-codec.)
for tool in rustc rustdoc; do
    printf '#!/bin/bash\nLD_LIBRARY_PATH="%s/usr/lib/x86_64-linux-gnu" exec "%s/usr/bin/%s" "$@"\n' "$root" "$root" "$tool" >"$root/$tool"
    chmod +x "$root/$tool"
done
# Where cargo looks for the sources of the standard library.
mkdir -p "$root/usr/lib/rustlib/src"
ln -sfn "$(echo "$root"/usr/src/rustc-*)" "$root/usr/lib/rustlib/src/rust"
rm -rf "$apt/debs" "$apt/cache" "$apt/state"
touch "$root/.complete"
