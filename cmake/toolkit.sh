#!/usr/bin/env bash
# toolkit.sh FOLDER: makes FOLDER a CUDA toolkit (bin/nvcc, include, lib64, nvvm) of the wheels that toolkit.txt lists.
# Does nothing where FOLDER is one already. FOLDER appears whole or not at all. Needs Python 3 with pip.
set -euo pipefail

say() { printf '%s\n' "toolkit: $*" >&2; }
die() { say "$*"; exit 2; }

[ $# = 1 ] || die "a folder is needed (found $# arguments)"
list=$(dirname "${BASH_SOURCE[0]}")/toolkit.txt
folder=$1

if cmp -s "$list" "$folder/toolkit.txt"; then
  say "$folder is there already, nothing to do"
  exit 0
fi
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip (needed to fetch NVIDIA's packages)"

mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$part"' EXIT
say "fetching about 530 MB:"
grep -v '^#' "$list" | sed 's/==/ /; s/^/  /' >&2
PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --disable-pip-version-check --target "$part/wheels" \
  --requirement "$list" >&2 || die "NVIDIA's packages could not be fetched (pip's reason stands above)"

# Every wheel puts its part of the toolkit under the same folder; nvcc looks for its own beside itself.
root=$part/wheels/nvidia/cu13
[ -x "$root/bin/nvcc" ] || die "nvidia-cuda-nvcc: there is no nvcc in it (needed bin/nvcc)"
[ -x "$root/nvvm/bin/cicc" ] || die "nvidia-nvvm: there is no cicc in it (needed nvvm/bin/cicc)"
mkdir "$root/licenses"
for info in "$part"/wheels/*.dist-info; do
  name=$(basename "$info")
  cp "$info"/licenses/License.txt "$root/licenses/${name%%-*}.txt"
done

# What linkers ask for and wheels leave out: lib64, and each library under its plain name.
ln -s lib "$root/lib64"
links=0
for library in "$root"/lib/lib*.so.*; do
  plain=${library%%.so.*}.so
  [ -e "$plain" ] || ln -s "$(basename "$library")" "$plain"
  links=$((links + 1))
done
cp "$list" "$root/toolkit.txt"
release=$("$root/bin/nvcc" --version | sed -n 's/.*, \(V[0-9.]*\)$/\1/p')
[ -n "$release" ] || die "nvcc does not run on this machine"

rm -rf "$folder"
mv "$root" "$folder"
say "nvcc $release is in $folder/bin; $links libraries got the names that linkers ask for"
