# cuseq run: what goes in, what comes out.
. "$(dirname "$0")/lib.sh"
files

expect 0 "$CUSEQ" run small.safetensors dense.npy -o out.npz
out_has '^small.safetensors on (cpu|cuda:0): 3 rows of 5 positions, 3 steps$'
out_has '^  row 2: [0-4] [0-4] [0-4]$'
out_has '^written to out.npz$'
silent
expect 0 "$HELPERS/cli_arrays" out.npz
out_is 'annotations float32 [3,5,4]
h_fw float32 [3,2]
c_fw float32 [3,2]
h_bw float32 [3,2]
c_bw float32 [3,2]
context float32 [3,3,4]
alphas float32 [3,3,5]
states float32 [3,3,4]
outputs float32 [3,3,5]
tokens int32 [3,3]'

expect 0 "$CUSEQ" run attention.safetensors dense.npy -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_is 'annotations float32 [3,5,4]
h_fw float32 [3,2]
c_fw float32 [3,2]
h_bw float32 [3,2]
c_bw float32 [3,2]
context float32 [3,4]
alphas float32 [3,5]'

expect 0 "$CUSEQ" run forward.safetensors dense.npy -o out.npz --steps 2
expect 0 "$HELPERS/cli_arrays" out.npz
out_is 'annotations float32 [3,5,2]
h_fw float32 [3,2]
c_fw float32 [3,2]
context float32 [3,2,2]
alphas float32 [3,2,5]
states float32 [3,2,2]
outputs float32 [3,2,4]
tokens int32 [3,2]'

"$HELPERS/cli_arrays" out.npz alphas | awk '{s += $1} END {exit !(s > 5.999 && s < 6.001)}' ||
  wrong "the weights of 6 rows should sum to 6"

# One input in every type gives the same bytes; so do ids and the one-hot rows that they stand for.
expect 0 "$CUSEQ" run small.safetensors dense.npy -o 4.npz
expect 0 "$CUSEQ" run small.safetensors dense8.npy -o 8.npz
same 4.npz 8.npz
expect 0 "$CUSEQ" run small.safetensors ids8.npy -o i8.npz
expect 0 "$CUSEQ" run small.safetensors ids4.npy -o i4.npz
expect 0 "$CUSEQ" run small.safetensors one_hot.npy -o one_hot.npz
same i8.npz i4.npz
same i8.npz one_hot.npz
differ 4.npz i8.npz

# Many rows go through in several batches and give each row what it gives alone.
expect 0 "$CUSEQ" run small.safetensors many.npy -o many.npz
out_has '^  \.\.\. and 590 more$'
"$HELPERS/cli_arrays" many.npz outputs | head -45 >first
"$HELPERS/cli_arrays" many.npz outputs | tail -45 >last
"$HELPERS/cli_arrays" 4.npz outputs >wanted
same first wanted
same last wanted
expect 0 "$CUSEQ" run small.safetensors many.npy
out_has '^  row 9: '

# Lengths: padding changes nothing, masked positions have no weight.
expect 0 "$CUSEQ" run small.safetensors dense.npy --lengths lengths.npy -o lengths.npz
differ lengths.npz 4.npz
[ "$("$HELPERS/cli_arrays" lengths.npz alphas | sed -n '33,35p' | sort -u)" = 0 ] ||
  wrong "weights past the length of row 2 should be 0"
[ "$("$HELPERS/cli_arrays" lengths.npz alphas | sed -n 31p)" = 1 ] || wrong "a row of length 1 has one weight"

# Models of version 2: what they do not have is not there.
expect 0 "$CUSEQ" run layers.safetensors ids4.npy -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_has '^context float32 \[3,8,5\]$'
out_has '^h_bw float32 \[3,4\]$'
expect 0 "$CUSEQ" run plain.safetensors wide.npy -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_lacks 'context|alphas|h_bw'
expect 0 "$CUSEQ" run tagger.safetensors dense.npy --lengths lengths.npy -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_is 'annotations float32 [3,5,2]
h_bw float32 [3,2]
c_bw float32 [3,2]
outputs float32 [3,5,6]
tokens int32 [3,5,2]
output_lengths int32 [3]'

# An end token gives the lengths of the output.
expect 0 "$CUSEQ" run text.safetensors wide.npy -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_has '^output_lengths int32 \[3\]$'

# JSON.
expect 0 "$CUSEQ" run small.safetensors dense.npy -o out.npz --json
json_is small.safetensors model
json_is 3 batch
json_is '[3,3,5]' arrays alphas
json_is out.npz output
json_is '[3,3]' arrays tokens
is_json rows 2 tokens 2
expect 0 "$CUSEQ" run attention.safetensors dense.npy --json
json_is '[]' rows
json_is null output
json_is '{}' arrays
expect 0 "$CUSEQ" run text.safetensors wide.npy --json
is_json rows 0 text

# Devices and threads.
for device in reference cpu auto; do
  expect 0 "$CUSEQ" run small.safetensors dense.npy --device $device
done
expect 0 "$CUSEQ" run small.safetensors dense.npy --device cpu --threads 2
expect 2 "$CUSEQ" run small.safetensors dense.npy --device tpu
err_has 'tpu.*reference, cpu'
expect 2 "$CUSEQ" run small.safetensors dense.npy --device cuda:17
expect 2 "$CUSEQ" run attention.safetensors dense.npy --steps 2
err_has '--steps: the model has no decoder'

for command in run compare; do
  expect 2 "$CUSEQ" $command small.safetensors dense.npy --steps 1000000000
  err_has '--steps: too many \(found 1000000000, needed at most 1048576\)'
done

# Pictures.
expect 0 "$CUSEQ" run small.safetensors dense.npy --plot out.svg
grep -q '^</svg>' out.svg || wrong "out.svg should be whole"
expect 0 "$CUSEQ" run attention.safetensors dense.npy --plot out.PNG
[ "$(head -c 8 out.PNG | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || wrong "out.PNG should be a PNG"
expect 0 "$CUSEQ" run small.safetensors many.npy --plot many.svg
err_has 'many.svg: holds the first 64 of 600'
for name in out.pdf out svg .svg; do
  expect 2 "$CUSEQ" run small.safetensors dense.npy -o no.npz --plot $name
  err_has '--plot: unknown kind of picture'
  absent no.npz
done

# The array of five dates.
if [ -f "$DATA/dates_onehot.npy" ]; then
  expect 0 "$CUSEQ" run "$DATES" "$DATA/dates_onehot.npy"
  out_has 'row 0: 1993-03-13'
  out_has 'row 4: 1990-07-07'
else
  echo 'dates_onehot.npy is not there: not run'
fi
finish
