#!/bin/sh
# Makes the environment in which the coders are compared: lcrs beside its peers, which want an old numpy.
#
#   make_peers_env.sh FOLDER
#
# TORCH_SITE may name a site-packages folder that has torch, to spare a second copy of it.
set -eu

folder=${1:?folder of the environment}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

python3 -m venv "$folder"
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
if [ -n "${TORCH_SITE:-}" ]; then
    echo "$TORCH_SITE" > "$site/torch_site.pth"
fi
"$folder/bin/pip" install --quiet 'maturin>=1.9,<2' 'numpy<2' 'scipy<1.14'
"$folder/bin/pip" install --quiet 'compressai==1.2.8' 'torch_ans==0.4.0' 'constriction==0.5.0' 'numpy<2'
"$folder/bin/maturin" build --quiet --release --manifest-path "$root/rust/lcrs-py/Cargo.toml" --out "$folder/wheels" \
    --interpreter "$folder/bin/python"
"$folder/bin/pip" install --quiet --force-reinstall --no-deps "$folder"/wheels/lcrs-*.whl
