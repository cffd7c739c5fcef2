#!/usr/bin/env bash
# What ./run asks apt for, on releases that offer different things: packages.sh SOURCE_DIR. Stand-ins of apt, and of
# the compilers that a machine has, answer; nothing is installed.
set -uo pipefail
source=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# stub NAME: a program of the machine; its text comes on stdin.
stub() {
  { echo '#!/bin/sh' && cat; } >"$folder/bin/$1"
  chmod +x "$folder/bin/$1"
}

# machine USER_ID DEFAULT_CLANG OFFERED INSTALLED PROGRAMS: OFFERED and INSTALLED are packages; PROGRAMS are compilers
# and lint tools that are there: "-" stands behind a clang that brings no libFuzzer; clang=N is one whose name does not
# have its version.
machine() {
  local program
  rm -rf "$folder/bin" "$folder/asked"
  mkdir -p "$folder/bin"
  for program in bash sh sed grep sort rm mktemp cat chmod; do ln -s "$(command -v $program)" "$folder/bin/"; done
  echo "echo $1" | stub id
  stub apt-cache <<STUB
[ "\$1" != depends ] || printf '%s\n  Depends: clang-$2\n  Breaks: <clang-3.2>\n' "\$2"
[ "\$1" != show ] || case " $3 " in *" \$2 "*) ;; *) exit 100 ;; esac
STUB
  stub dpkg-query <<STUB
for package; do :; done
case " $4 " in *" \$package "*) printf installed ;; *) exit 1 ;; esac
STUB
  stub apt-get <<'STUB'
[ "$1" = install ] || exit 0
echo "$*" >"$FOLDER/asked"
for package; do
  case $package in
  clang-[0-9]*)
    printf '#!/bin/sh\necho %s.1.0\n' "${package#clang-}" >"$FOLDER/bin/$package"
    chmod +x "$FOLDER/bin/$package"
    ;;
  esac
done
STUB
  for program in $5; do
    case $program in
    clang=*) echo "echo ${program#clang=}.0.6" | stub clang ;;
    *-) echo "[ \$1 = -dumpversion ] && echo ${program//[!0-9]/}.0.6" | stub "${program%-}" ;;
    *) echo "echo ${program//[!0-9]/}.0.6" | stub "$program" ;;
    esac
  done
}

# expect PACKAGES [CLANG]: what the tests take beyond what is there, and the compiler of the fuzzers.
expect() {
  local packages
  (
    export FOLDER=$folder PATH=$folder/bin BUILD=$folder/build
    say() { printf '%s\n' "$*"; }
    die() { say "run: $*"; exit 2; }
    . "$source/cmake/packages.sh"
    PACKAGES_TEST=plain
    need_test
    echo "clang is $CLANG"
  ) >"$folder/said" 2>&1
  packages=$(sed -n 's/.*--no-install-recommends //p' "$folder/asked" "$folder/said" 2>/dev/null)
  [ "$packages" = "$1" ] && [ "$(sed -n 's/^clang is //p' "$folder/said")" = "${2:-}" ] && return
  echo "$name: expected packages \"$1\" and clang \"${2:-}\", found \"$packages\" and:"
  cat "$folder/said"
  failed=1
}

says() { grep -q -- "$1" "$folder/said" || { echo "$name: \"$1\" was expected"; cat "$folder/said"; failed=1; }; }

name='Debian 12'
machine 0 14 'plain gcc clang-14 libclang-rt-14-dev libclang-common-14-dev clang-format-14 clang-tidy-14' '' ''
expect 'plain clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14' clang-14

name='Ubuntu 22.04, where libFuzzer lies in libclang-common'
machine 0 14 'plain gcc clang-14 libclang-common-14-dev clang-format-14 clang-tidy-14' '' ''
expect 'plain clang-14 libclang-common-14-dev clang-format-14 clang-tidy-14' clang-14

name='Debian 13, without any clang 14'
machine 0 19 'plain gcc clang-19 libclang-rt-19-dev python3-venv' '' ''
expect 'plain clang-19 libclang-rt-19-dev python3-venv' clang-19

name='Ubuntu 24.04, with clang 18 and the lint tools of 14'
machine 0 18 'plain gcc clang-18 libclang-rt-18-dev clang-14 clang-format-14 clang-tidy-14' '' ''
expect 'plain clang-18 libclang-rt-18-dev clang-format-14 clang-tidy-14' clang-18

name='the newest clang that links fuzzers is taken'
machine 0 14 'plain gcc' plain 'clang-13 clang-15 clang-17 clang-21- clang-format-14 clang-tidy-14'
expect '' clang-17

name='a clang before 14 is not'
machine 0 19 'plain gcc clang-19 libclang-rt-19-dev' plain 'clang-13 clang-format-14 clang-tidy-14'
expect 'clang-19 libclang-rt-19-dev' clang-19

name='a clang without a version in its name'
machine 0 19 'plain gcc' plain 'clang=16 clang-format-14 clang-tidy-14'
expect '' clang

name='an old clang without a version in its name'
machine 0 19 'plain gcc clang-19 libclang-rt-19-dev' plain 'clang=11 clang-format-14 clang-tidy-14'
expect 'clang-19 libclang-rt-19-dev' clang-19

name='a user gets the line to paste'
machine 1000 19 'plain gcc clang-19 libclang-rt-19-dev python3-venv' '' ''
expect 'plain clang-19 libclang-rt-19-dev python3-venv'
says '^sudo apt-get install '
[ ! -e "$folder/asked" ] || { echo "$name: apt-get install was called"; failed=1; }

name='a user whose apt has no lists is told to fetch them'
machine 1000 19 '' '' ''
expect ''
says '^sudo apt-get update$'

exit $failed
