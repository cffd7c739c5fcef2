# cuseq compare --with: against arrays that a framework saved.
. "$(dirname "$0")/lib.sh"
files
"$HELPERS/cli_framework" "$FOLDER" || wrong "the archives could not be written"

# By name, by a head's name, by shape; axes of 1 do not count, nor do types.
for device in reference cpu; do
  expect 0 "$CUSEQ" compare small.safetensors dense.npy --with framework.npz --device $device
  silent
  out_has "^small.safetensors on $device against framework.npz: 3 rows of 5 positions$"
  for array in alphas 'arr_0 \(annotations\)' output context tokens; do
    out_has "^$array .* ok$"
  done
  out_has '^not in framework.npz: h_fw, c_fw, h_bw, c_bw, states$'
  [ "$(wc -l <out)" = 8 ] || wrong "eight lines were expected"
done
expect 0 "$CUSEQ" compare small.safetensors dense.npy --with framework.npz --json
json_is true passed
json_is annotations arrays arr_0 is
json_is shape arrays arr_0 by
json_is 45 arrays alphas compared
json_is 60 arrays arr_0 compared
json_is 9 arrays tokens compared
json_is 0 arrays tokens allowed
json_is h_fw absent 0
expect 0 "$CUSEQ" compare tagger.safetensors dense.npy --with heads.npz --json
json_is kind arrays kind is
json_is 60 arrays kind compared
json_is 30 arrays 'head 1' compared
is_json absent 0

# What the program wrote itself, all of it; the input may be there, too.
expect 0 "$CUSEQ" run small.safetensors dense.npy -o out.npz
expect 0 "$CUSEQ" compare small.safetensors dense.npy --with out.npz --tolerance 1e-5
out_lacks '^not in'
out_has '^states .* 1e-05 .* ok$'
expect 0 "$CUSEQ" run classes.safetensors letters.npy -o out.npz
expect 0 "$CUSEQ" compare classes.safetensors letters.npy --with out.npz
out_has '^outputs .* ok$'

# Positions behind a row's length are not compared, and steps behind its end.
expect 0 "$CUSEQ" run small.safetensors dense.npy -o out.npz --lengths lengths.npy
expect 0 "$CUSEQ" compare small.safetensors dense.npy --with out.npz --lengths lengths.npy --json
json_is 32 arrays annotations compared
json_is 24 arrays alphas compared
run "$CUSEQ" compare small.safetensors dense.npy --with out.npz
[ "$STATUS" = 1 ] || wrong "exit status 1 was expected"
expect 0 "$CUSEQ" run text.safetensors wide.npy -o out.npz
expect 0 "$CUSEQ" compare text.safetensors wide.npy --with out.npz --json
is_json arrays outputs compared
"$HELPERS/cli_arrays" out.npz output_lengths | awk '{s += $1} END {print 4 * s}' >wanted
same value wanted
expect 0 "$CUSEQ" run text.safetensors wide.npy -o out.npz --steps 2
expect 2 "$CUSEQ" compare text.safetensors wide.npy --with out.npz
err_has '^cuseq: out.npz: context: does not fit the model and its input \(found float32 \[3,2,6\], needed \[3,8,6\]\)$'
expect 0 "$CUSEQ" compare text.safetensors wide.npy --with out.npz --steps 2

# Given tokens, and the logarithms of their probabilities.
expect 0 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy -o out.npz
expect 0 "$CUSEQ" compare text.safetensors wide.npy --with out.npz --targets targets.npy --json
json_is 8 arrays log_probabilities compared
expect 2 "$CUSEQ" compare text.safetensors wide.npy --with out.npz --steps 4
err_has 'log_probabilities: no array of the model is called so or has its shape \(found float32 \[3,4\]'
expect 0 "$CUSEQ" compare text.safetensors wide.npy --targets targets.npy
out_has '^log_probabilities .* ok$'
expect 2 "$CUSEQ" compare text.safetensors wide.npy --targets targets.npy --steps 3
err_has '^cuseq: targets.npy: longer than --steps \(found 4 tokens in a row, needed at most 3\)$'

# One wrong value is found where it is; NaN is never right.
run "$CUSEQ" compare small.safetensors dense.npy --with off.npz
[ "$STATUS" = 1 ] || wrong "exit status 1 was expected"
out_has '^alphas +0\.25 .* \[1,2,3\] .* MISSED \(1 of 45\)$'
out_has '^outputs .* ok$'
silent
run "$CUSEQ" compare small.safetensors dense.npy --with off.npz --json
json_is false passed
json_is 1 arrays alphas missed
json_is '[1,2,3]' arrays alphas at
run "$CUSEQ" compare small.safetensors dense.npy --with nan.npz
[ "$STATUS" = 1 ] || wrong "exit status 1 was expected"
expect 0 "$CUSEQ" compare small.safetensors dense.npy --with off.npz --tolerance 0.3

# What the framework's decoder began with, the model's begins with.
expect 0 "$CUSEQ" compare small.safetensors dense.npy --with begun.npz
out_has '^outputs .* ok$'
out_lacks initial
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with begun_wide.npz
err_has '^cuseq: begun_wide.npz: initial_h: does not fit the model and its input \(needed \[3,'

# What is none of the model's arrays: which, found, needed.
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with ambiguous.npz
err_has '^cuseq: ambiguous.npz: arr_0: could be more than one array by its shape \(found float64 \[3,2\], needed one of the names h_fw, c_fw, h_bw, c_bw\)$'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with unknown.npz
err_has '^cuseq: unknown.npz: weights: no array of the model is called so or has its shape \(found float64 \[3,7\], needed one of input \[3,5,3\], annotations \[3,5,4\], .*tokens \[3,3\]\)$'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with shape.npz
err_has '^cuseq: shape.npz: alphas: does not fit the model and its input \(found float64 \[3,5,3\], needed \[3,3,5\]\)$'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with twice.npz
err_has '^cuseq: twice.npz: annotations: is annotations, which arr_0 is, too$'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with fewer.npz
err_has 'found float64 \[2,5,4\], needed \[3,5,4\]'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with dense.npy
err_has '^cuseq: dense.npy: an array \(.npy\) \(needed arrays in .npz, as numpy.savez writes them\)$'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with small.safetensors
err_has '^cuseq: small.safetensors: a cuseq model \(needed arrays in .npz'
expect 2 "$CUSEQ" compare small.safetensors dense.npy --with missing.npz
err_has '^cuseq: missing.npz: '
finish
