#!/usr/bin/env bash
# toolkit.sh FOLDER: makes FOLDER a CUDA toolkit (bin/nvcc, include, lib64, nvvm) of the wheels that toolkit.txt lists.
# Does nothing where FOLDER is one already. FOLDER appears whole or not at all. Needs Python 3 with pip.
# toolkit.sh FOLDER disassembler: of it only cuobjdump and nvdisasm.
set -euo pipefail

say() { printf '%s\n' "toolkit: $*" >&2; }
die() { say "$*"; exit 2; }

case "$# ${2:-}" in
"1 ") wanted=. size="530 MB" ;;
"2 disassembler") wanted='cuobjdump|nvdisasm' size="5 MB" ;;
*) die "a folder is needed, and perhaps the word disassembler (found $# arguments)" ;;
esac
folder=$1
list=$(mktemp)
trap 'rm -f "$list"' EXIT
grep -v '^#' "$(dirname "${BASH_SOURCE[0]}")/toolkit.txt" | grep -E "$wanted" >"$list"

if cmp -s "$list" "$folder/toolkit.txt"; then
  say "$folder is there already, nothing to do"
  exit 0
fi
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip (needed to fetch NVIDIA's packages)"

mkdir -p "$(dirname "$folder")"
part=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$part" "$list"' EXIT
say "fetching about $size:"
sed 's/==/ /; s/^/  /' "$list" >&2
PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --disable-pip-version-check --target "$part/wheels" \
  --requirement "$list" >&2 || die "NVIDIA's packages could not be fetched (pip's reason stands above)"

# Every wheel puts its part of the toolkit under the same folder; nvcc looks for its own beside itself.
root=$part/wheels/nvidia/cu13
chmod a+x "$root"/bin/* # some come executable for their owner alone
[ -x "$root/bin/nvdisasm" ] || die "nvidia-cuda-nvdisasm: there is no nvdisasm in it (needed bin/nvdisasm)"
[ -x "$root/bin/cuobjdump" ] || die "nvidia-cuda-cuobjdump: there is no cuobjdump in it (needed bin/cuobjdump)"
finish() {
  cp "$list" "$root/toolkit.txt"
  rm -rf "$folder"
  mv "$root" "$folder"
  say "$1"
}
if [ $# = 2 ]; then
  finish "cuobjdump and nvdisasm are in $folder/bin"
  exit 0
fi
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
release=$("$root/bin/nvcc" --version | sed -n 's/.*, \(V[0-9.]*\)$/\1/p')
[ -n "$release" ] || die "nvcc does not run on this machine"
finish "nvcc $release is in $folder/bin; $links libraries got the names that linkers ask for"
