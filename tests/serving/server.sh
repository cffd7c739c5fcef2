#!/bin/sh
# The tests that need Triton Inference Server: server.sh [OPTION OF PYTEST...]. CUSEQ_BUILD is the build's folder.
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
if [ ! -f "$CUSEQ_BUILD/tritonserver/done" ]; then
  echo "[SKIP] serving.server: Triton Inference Server is not in $CUSEQ_BUILD/tritonserver (./run test-serving fetches it)"
  exit 77
fi
exec "$python" -B -m pytest -p no:cacheprovider -q "$(dirname "$0")" "$@"
