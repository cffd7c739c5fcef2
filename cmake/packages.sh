# What ./run sets up: packages of Debian and Ubuntu, and what a release lacks from PyPI. Read by ./run, which has BUILD,
# say and die. What there is is asked of apt, not told by the release's name.

# Debian's and Ubuntu's packages. "a|b" is whichever of them the release has.
PACKAGES_BUILD="gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libzip-dev libhdf5-dev libpng-dev libprotobuf-c-dev protobuf-c-compiler"
PACKAGES_TEST="$PACKAGES_BUILD g++ libcriterion-dev libzstd-dev liblz4-dev python3 python3-dev python3-venv python3-numpy python3-pytest mandoc bsdutils"
PACKAGES_FRAMEWORKS="g++ python3 python3-venv"
PACKAGES_WHEEL="dpkg-dev make advancecomp python3 python3-dev python3-venv" # sources of libraries are Debian's
PACKAGES_PYTORCH="python3-dev" # torch.compile builds against its headers

# What looks at the Python package, from PyPI everywhere.
LINT_PYTHON="ruff==0.17.6 mypy==2.4.1 numpy==2.4.6"

# clang-format and clang-tidy, of one version everywhere, as each formats and finds differently: Debian's packages,
# or PyPI's where the release has no such package.
LINT=14
LINT_PYPI=14.0.6

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
offered() { apt-cache show "$1" >/dev/null 2>&1; }
has_apt() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

# What apt offers, fetched once, before anything is decided by it.
lists() {
  has_apt && [ -z "${LISTED:-}" ] || return 0
  LISTED=1
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq >&2 || die "apt's lists could not be fetched"
  elif ! offered gcc; then
    say "sudo apt-get update"
    die "apt has no lists yet (run the line above, then this again)"
  fi
}

# Installs, or says how to install, those of the packages that are missing.
need() {
  if ! has_apt; then
    say "run: no apt here; it takes what these Debian packages hold: $*"
    return
  fi
  local package choice missing=()
  for package in "$@"; do
    local found=
    for choice in ${package//|/ }; do installed "$choice" && found=1; done
    case " ${missing[*]} " in *" $package "*) found=1 ;; esac
    [ -n "$found" ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  lists
  local names=()
  for package in "${missing[@]}"; do
    local name=${package%%|*}
    for choice in ${package//|/ }; do
      if offered "$choice"; then name=$choice; break; fi
    done
    names+=("$name")
  done
  if [ "$(id -u)" != 0 ]; then
    say "sudo apt-get install -y --no-install-recommends ${names[*]}"
    exit 2
  fi
  say "run: installing ${names[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >&2 ||
    die "packages could not be installed (${names[*]})"
}

# Whether a compiler brings libFuzzer and the sanitizers.
links_fuzzers() {
  local folder linked=1
  folder=$(mktemp -d)
  echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n ? 0 : 0; }' >"$folder/probe.c"
  "$1" -fsanitize=fuzzer,address,undefined "$folder/probe.c" -o "$folder/probe" 2>/dev/null || linked=
  rm -rf "$folder"
  [ -n "$linked" ]
}

# The first number of a compiler's version.
major() {
  local version
  version=$("$1" -dumpversion 2>/dev/null) || version=0
  echo "${version%%.*}"
}

# Sets CLANG: the newest that is there, from 14 on, and links fuzzers.
find_clang() {
  [ -z "${CLANG:-}" ] || return 0
  local name
  for name in $(compgen -c clang- | grep -xE 'clang-[0-9]+' | sort -t- -k2 -rnu) clang; do
    if command -v "$name" >/dev/null && [ "$(major "$name")" -ge 14 ] && links_fuzzers "$name"; then
      CLANG=$name
      return 0
    fi
  done
  return 1
}

# What the tests take. Where there is no clang that links fuzzers it is the release's own.
need_test() {
  local packages=$PACKAGES_TEST version tool
  if has_apt && ! find_clang; then
    lists
    version=$(apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p')
    [ -n "$version" ] || die "apt offers no clang (needed clang 14 or later)"
    packages+=" clang-$version libclang-rt-$version-dev|libclang-common-$version-dev"
  fi
  for tool in clang-format clang-tidy; do
    has_lint_tool $tool || { lists; packages+=" $(lint_package $tool)"; }
  done
  need $packages
  find_clang || die "clang: none that is there links fuzzers (needed clang 14 or later, with its libFuzzer)"
}

has_lint_tool() { command -v "$1-$LINT" >/dev/null || [ -x "$BUILD/lint/bin/$1" ]; }
lint_package() { if offered "$1-$LINT"; then echo "$1-$LINT"; else echo "python3-venv"; fi; }

# The program of a lint tool; fetched into build/lint where there is no such package.
lint_tool() {
  local folder=$BUILD/lint
  if command -v "$1-$LINT"; then return; fi
  if [ ! -x "$folder/bin/$1" ]; then
    say "run: fetching $1 $LINT_PYPI"
    python3 -m venv "$folder" >&2 &&
      "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$1==$LINT_PYPI" >&2 ||
      die "$1 $LINT_PYPI could not be fetched (the reason stands above)"
  fi
  echo "$folder/bin/$1"
}

# The folder of the programs that look at Python; nothing, and a line, where they cannot be fetched.
lint_python() {
  local folder=$BUILD/lint-python
  if [ ! -x "$folder/bin/mypy" ]; then
    say "run: fetching $LINT_PYTHON"
    # shellcheck disable=SC2086 # a list
    if ! { python3 -m venv "$folder" &&
      "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary :all: $LINT_PYTHON; } >&2; then
      say "[SKIP] lint of python/: $LINT_PYTHON could not be fetched (the reason stands above)"
      rm -rf "$folder"
      return
    fi
  fi
  echo "$folder/bin"
}
