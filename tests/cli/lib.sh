# What every script here begins with. Expects, from CTest: CUSEQ, the program; HELPERS, the folder of the helper
# programs; ROOT, the repository. Works in a folder of its own that goes when the script ends.
set -u
FAILURES=0
FOLDER=$(mktemp -d)
# A script that ends without `finish` has failed all the same where something was wrong.
trap 'STATUS_AT_END=$?; chmod -R u+w "$FOLDER"; rm -rf "$FOLDER"; [ "$FAILURES" = 0 ] || STATUS_AT_END=1; exit $STATUS_AT_END' EXIT
cd "$FOLDER" || exit 1
unset COLUMNS NO_COLOR COLORTERM
export LC_ALL=C.UTF-8 TERM=xterm
DATES=$ROOT/models/dates.safetensors
DATA=$ROOT/../shared/data

wrong() {
  printf 'FAILED: %s\n' "$1"
  printf '  command: %s\n' "${COMMAND:-}"
  printf '  status %s\n' "${STATUS:-}"
  [ -s out ] && sed 's/^/  stdout: /' out | head -20
  [ -s err ] && sed 's/^/  stderr: /' err | head -20
  FAILURES=$((FAILURES + 1))
}

skip() {
  printf 'SKIPPED: %s\n' "$1"
  exit 77
}

# What comes next needs a terminal: where none can be had the rest is skipped, unless something failed before.
need_terminal() {
  "$HELPERS/cli_terminal" true >/dev/null 2>err && return
  [ "$FAILURES" = 0 ] || finish
  skip "$(cat err); the tests on a terminal are left out"
}

# run COMMAND...: keeps its status, stdout and stderr.
run() {
  COMMAND="$*"
  "$@" >out 2>err </dev/null
  STATUS=$?
}

# expect STATUS COMMAND...: runs it; an error is one line on stderr that begins with "cuseq: ".
expect() {
  local wanted=$1
  shift
  run "$@"
  [ "$STATUS" = "$wanted" ] || wrong "exit status $wanted was expected"
  if [ "$wanted" = 2 ] || [ "$wanted" = 3 ]; then
    [ "$(wc -l <err)" = 1 ] && grep -q '^cuseq: ' err || wrong "one line on stderr was expected"
  fi
}

# out_has / err_has PATTERN: an extended regular expression that some line matches.
out_has() { grep -Eq -- "$1" out || wrong "stdout should match: $1"; }
err_has() { grep -Eq -- "$1" err || wrong "stderr should match: $1"; }
out_lacks() { ! grep -Eq -- "$1" out || wrong "stdout should not match: $1"; }
out_is() { [ "$(cat out)" = "$1" ] || wrong "stdout should be: $1"; }
silent() { [ ! -s err ] || wrong "stderr should be empty"; }
same() { cmp -s "$1" "$2" || wrong "$1 and $2 should be the same"; }
differ() { ! cmp -s "$1" "$2" || wrong "$1 and $2 should differ"; }
exists() { [ -s "$1" ] || wrong "$1 should exist"; }
absent() { [ ! -e "$1" ] || wrong "$1 should not exist"; }
is_json() { "$HELPERS/cli_json" "$@" <out >value || wrong "stdout should be JSON with: $*"; }
json_is() {
  local wanted=$1
  shift
  is_json "$@"
  [ "$(cat value)" = "$wanted" ] || wrong "JSON at $* should be $wanted, is $(cat value)"
}

# entries FOLDER COUNT: how many there are, hidden ones included.
entries() { [ "$(ls -A "$1" | wc -l)" = "$2" ] || wrong "$1 should have $2 entries, has: $(ls -A "$1" | tr '\n' ' ')"; }

files() { "$HELPERS/cli_files" "$FOLDER" || { wrong "the test files could not be written"; exit 1; }; }

finish() {
  [ "$FAILURES" = 0 ] || { printf '%d failed\n' "$FAILURES"; exit 1; }
  exit 0
}
