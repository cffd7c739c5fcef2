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
json_is float32 precision

# Another precision: within its own tolerance, or refused in a line, by every command that opens a session.
expect 2 "$CUSEQ" compare small.safetensors dense.npy --device cpu --precision tf32
err_has 'device cpu has no precision tf32: '
expect 2 "$CUSEQ" compare small.safetensors dense.npy --device reference --precision bf16
err_has 'device reference has no precision bf16: '
expect 0 "$CUSEQ" devices
if grep -q '^cpu .* with BF16' out; then
  bf16=0
else
  echo 'this processor lacks AVX-512 BF16: that it is refused is tested'
  bf16=2
fi
printf '3 May 1979\t1979-05-03\n' >pairs.tsv
for command in "run small.safetensors dense.npy" "compare small.safetensors dense.npy" "bench small.safetensors" \
  "info small.safetensors" "evaluate $DATES pairs.tsv"; do
  expect $bf16 "$CUSEQ" $command --device cpu --precision bf16
  if [ $bf16 = 0 ]; then out_has 'cpu( in)? +bf16'; else err_has 'this processor lacks AVX-512 BF16'; fi
done
for command in "translate $DATES 3_May_1979" "score $ROOT/models/dates_feedback.safetensors pairs.tsv"; do
  expect $bf16 "$CUSEQ" $command --device cpu --precision bf16
done
if [ $bf16 = 0 ]; then
  expect 0 "$CUSEQ" compare small.safetensors dense.npy --device cpu --precision bf16 --json
  json_is bf16 precision
  json_is true passed
  run "$CUSEQ" compare small.safetensors many.npy --device cpu --precision bf16 --tolerance 1e-6
  [ "$STATUS" = 1 ] || wrong "bf16 should miss float32's tolerance"
  expect 0 "$CUSEQ" run small.safetensors dense.npy --device cpu --precision bf16 --json
  json_is bf16 precision
fi
if [ -f "$DATA/dates_onehot.npy" ]; then
  expect 0 "$CUSEQ" compare "$DATES" "$DATA/dates_onehot.npy" --device cpu
else
  echo 'dates_onehot.npy is not there: not compared'
fi
finish
