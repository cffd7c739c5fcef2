# Runs the notebook and the lines to paste: notebook.sh CUSEQ BUILD_DIR. The Python is that of the variable CUSEQ_KERAS, or
# the first of those that are likely to have Keras and safetensors.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cuseq=$1 build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

wrong() {
  printf 'FAILED: %s\n' "$1"
  tail -40 "$folder/log"
  exit 1
}

# has_keras PYTHON: importing it would load a backend, which takes seconds.
has_keras() {
  "$1" -c 'import importlib.util, sys
has = importlib.util.find_spec
sys.exit(not (has("keras") and has("safetensors") and any(map(has, ("tensorflow", "jax", "torch")))))' >/dev/null 2>&1
}

for python in "${CUSEQ_KERAS:-}" "$build/notebook/bin/python" python3 /usr/bin/python3; do
  [ -n "$python" ] && has_keras "$python" && break
  python=
done
if [ -z "$python" ]; then
  echo 'SKIPPED: there is no Python with keras and safetensors (examples/notebook/README.md has a line that makes one;' \
    'CUSEQ_KERAS=PYTHON names another)'
  exit 77
fi

"$python" -B "$root/examples/notebook/notebook.py" --cuseq "$cuseq" --folder "$folder/notebook" >"$folder/log" 2>&1 ||
  wrong "the notebook should run, and Keras and cuseq agree"
[ "$(grep -c ' ok$' "$folder/log")" = 18 ] || wrong "18 arrays should be compared"
for name in look look_dense decoder; do
  grep -q '>characters in</text>' "$folder/notebook/$name.svg" || wrong "$name.svg should be a picture with characters"
done
"$cuseq" translate "$folder/notebook/decoder.safetensors" '3 May 1979' >"$folder/out" 2>&1
[ "$(wc -c <"$folder/out")" = 11 ] || wrong "the decoder should write ten characters"

# A tolerance that float32 cannot keep is missed: what passes is compared.
"$cuseq" compare "$folder/notebook/decoder.safetensors" "$folder/notebook/input.npy" --with "$folder/notebook/decoder.npz" \
  --device cpu --tolerance 1e-12 >"$folder/log" 2>&1
[ $? = 1 ] && grep -q 'MISSED' "$folder/log" || wrong "errors above the tolerance should be told"

export PATH=$(dirname "$cuseq"):$PATH
for what in page readme; do
  mkdir "$folder/$what" && cd "$folder/$what" || exit 1
  ln -s "$root/examples" examples
  "$python" -B "$root/tests/notebook/pasted.py" $what >"$folder/log" 2>&1 || wrong "what the $what has to paste should work"
  [ "$(grep -c ' ok$' "$folder/log")" = 2 ] || wrong "two arrays should be compared"
  grep -q '</svg>' attention.svg || wrong "attention.svg should be a picture"
done
