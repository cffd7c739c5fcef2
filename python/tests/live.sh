#!/usr/bin/env bash
# live.sh BUILD: the tests of live models, of cuseq.torch and cuseq.keras, and of the notebook, under the frameworks that they
# are about: Keras 3 on each of its backends, Keras 2 with TensorFlow 2.15, PyTorch with both of its exporters. The
# interpreters are those of CUSEQ_LIVE_PYTHON, a list with colons between, or made in BUILD/test-live and fetched for it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
export PYTHONPATH=$build/python${PYTHONPATH:+:$PYTHONPATH} CUSEQ_PROGRAM=$build/cuseq TF_CPP_MIN_LOG_LEVEL=3
failed=0

has() { "$1" -c 'import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))' "${@:2}" 2>/dev/null; }

fetch() { # NAME PACKAGE...
  local folder=$build/test-live/$1
  shift
  [ ! -e "$folder/done" ] || return 0
  echo "live: fetching $*" >&2
  rm -rf "$folder"
  /usr/bin/python3 -m venv "$folder" >&2 &&
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$@" >&2 && : >"$folder/done"
}

run() { # PYTHON WHAT TEST...
  local python=$1 what=$2
  shift 2
  echo "live: $what, by $python"
  "$python" -B "$here/run.py" -W ignore "${@/#/$here/}" || failed=1
}

pythons=${CUSEQ_LIVE_PYTHON:-}
if [ -z "$pythons" ]; then
  fetch keras3 tensorflow-cpu keras jax nbclient ipykernel matplotlib pytest && pythons+=$build/test-live/keras3/bin/python:
  fetch keras2 tensorflow-cpu==2.15.1 pytest && pythons+=$build/test-live/keras2/bin/python:
  fetch torch torch onnx onnxscript keras pytest && pythons+=$build/test-live/torch/bin/python:
  [ -n "$pythons" ] || { echo '[SKIP] live: no framework could be fetched (the reasons stand above)'; exit 77; }
fi

IFS=:
for python in $pythons; do
  IFS=$' \t\n'
  [ -n "$python" ] || continue
  if has "$python" keras; then
    for backend in tensorflow jax torch numpy; do
      # Keras' numpy backend imports jax.
      case $backend in numpy) has "$python" jax || continue ;; *) has "$python" $backend || continue ;; esac
      KERAS_BACKEND=$backend run "$python" "Keras with $backend" test_live_keras.py test_layer_keras.py
    done
  fi
  has "$python" torch && run "$python" PyTorch test_live_torch.py test_module_torch.py
  if has "$python" tensorflow; then
    "$python" -B "$here/../../tests/notebook/execute.py"
    case $? in 0 | 77) ;; *) failed=1 ;; esac
  fi
done
[ $failed = 0 ] || { echo 'live: tests failed; they are named above'; exit 1; }
