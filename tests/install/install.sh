#!/usr/bin/env bash
# Installs into a folder of its own, then builds and runs the example against it by find_package and by pkg-config:
# install.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix
cmake --install "$build" --prefix "$prefix" >"$folder/log" || { cat "$folder/log"; exit 1; }
flags=$(grep -m1 '^CUSEQ_SANITIZE:' "$build/CMakeCache.txt" | cut -d= -f2)
case $flags in address) flags=-fsanitize=address,undefined ;; thread) flags=-fsanitize=thread ;; *) flags= ;; esac

cmake -G Ninja -S "$source/example" -B "$folder/example" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$flags" >"$folder/log" &&
  cmake --build "$folder/example" >>"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
by_cmake=$("$folder/example/example")

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name cuseq.pc)")
libdir=$(pkg-config --variable=libdir cuseq)
# shellcheck disable=SC2046
cc $flags -o "$folder/example_pc" "$source/example/example.c" $(pkg-config --cflags --libs cuseq) -Wl,-rpath,"$libdir"
by_pkg_config=$("$folder/example_pc")

[ "$by_cmake" = "$by_pkg_config" ] || { echo "the two builds differ: $by_cmake | $by_pkg_config"; exit 1; }
case $by_cmake in
"context 0."*" alphas 0."*) echo "$by_cmake" ;;
*) echo "the example prints: $by_cmake"; exit 1 ;;
esac
if [ ! -e /proc/self/exe ]; then
  echo 'skipped from here on: without /proc the loader does not find libcuseq.so from where the program is installed'
  exit 77
fi
"$prefix/bin/cuseq" --version
"$prefix/bin/cuseq" devices | grep -q '^cpu'
for file in share/man/man1/cuseq.1 share/bash-completion/completions/cuseq libexec/cuseq/cuseq-hdf5; do
  [ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
