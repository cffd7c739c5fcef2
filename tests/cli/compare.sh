# cuseq compare: verdicts and exit status.
. "$(dirname "$0")/lib.sh"
files

expect 0 "$CUSEQ" compare small.safetensors dense.npy --device cpu
for array in annotations h_fw c_fw h_bw c_bw context alphas states outputs tokens; do
  out_has "^$array .* ok$"
done
out_has '^small.safetensors on cpu against reference: 3 rows of 5 positions$'
out_has '^outputs +[0-9.e+-]+ +[0-9.]+e-0[67] +\[[0-2],[0-2],[0-4]\]'
expect 0 "$CUSEQ" compare forward.safetensors many.npy
out_lacks '^h_bw'
out_has '^outputs .* ok$'
expect 0 "$CUSEQ" compare attention.safetensors dense8.npy --lengths lengths.npy
out_has '^context .*ok$'
out_lacks '^tokens'
expect 0 "$CUSEQ" compare text.safetensors wide.npy --steps 3 --threads 1
out_has '^output_lengths .* ok$'
expect 0 "$CUSEQ" compare small.safetensors ids8.npy
expect 0 "$CUSEQ" compare small.safetensors dense.npy --device reference --tolerance 1e-300
out_has '^outputs +0 +1e-300'

# The float32 backend is not the reference: at no tolerance to speak of it misses.
run "$CUSEQ" compare small.safetensors many.npy --device cpu --tolerance 1e-300
[ "$STATUS" = 1 ] || wrong "exit status 1 was expected"
out_has '^outputs .* MISSED \([0-9]+ of 9000\)$'
silent
run "$CUSEQ" compare small.safetensors many.npy --device cpu --tolerance 1e-300 --json
[ "$STATUS" = 1 ] || wrong "exit status 1 was expected"
json_is false passed

expect 0 "$CUSEQ" compare small.safetensors dense.npy --json
json_is true passed
json_is 45 arrays outputs compared
json_is 0 arrays tokens allowed
is_json arrays alphas at 2
if [ -f "$DATA/dates_onehot.npy" ]; then
  expect 0 "$CUSEQ" compare "$DATES" "$DATA/dates_onehot.npy" --device cpu
else
  echo 'dates_onehot.npy is not there: not compared'
fi
finish
