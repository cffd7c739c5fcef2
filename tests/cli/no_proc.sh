# Where /proc is not mounted, as in a bare chroot: the program starts, finds cuseq-hdf5, reads and writes files.
. "$(dirname "$0")/lib.sh"
files

# hidden COMMAND...: runs it without /proc.
if [ ! -e /proc/self ]; then
  hidden() { run "$@"; }
elif [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs none /proc 2>/dev/null; then
  hidden() { run unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$@"; }
else
  skip '/proc is mounted, and cannot be hidden here (only a superuser may, where mounts of their own are allowed)'
fi

done_without() {
  hidden "$@"
  [ "$STATUS" = 0 ] || wrong "exit status 0 was expected without /proc"
}

hidden "$CUSEQ" --version
grep -q Sanitizer err && skip 'this program has a sanitizer, which needs /proc'
[ "$STATUS" = 0 ] || wrong "exit status 0 was expected without /proc"

done_without "$CUSEQ" convert "$ROOT/examples/dates/dates.keras" dates.safetensors \
  --vocabulary "$ROOT/examples/dates/vocabulary.json"
same dates.safetensors "$DATES"
done_without "$CUSEQ" convert "$ROOT/tests/golden/keras/additive.h5" additive.safetensors
expect 0 "$CUSEQ" info additive.safetensors
out_has '^attention  additive'
printf old >out.npz
done_without "$CUSEQ" run small.safetensors dense.npy -o out.npz
expect 0 "$CUSEQ" run small.safetensors dense.npy -o with.npz
same out.npz with.npz
done_without "$CUSEQ" devices
finish
