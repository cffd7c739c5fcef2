# Models whose decoders are given numbers at every step: run, compare and bench, and --given.
. "$(dirname "$0")/lib.sh"
files

model=numbers.safetensors
for device in reference cpu; do
  expect 0 "$CUSEQ" run $model dense.npy --given numbers.npy -o $device.npz --device $device
  out_has "^$model on $device: 3 rows of 5 positions, 4 steps$"
  silent
done
expect 0 "$CUSEQ" compare $model dense.npy --given numbers.npy
out_has '^outputs .* ok$'
out_lacks 'MISSED'
expect 0 "$CUSEQ" compare $model dense.npy --with reference.npz --given numbers.npy
expect 0 "$CUSEQ" run $model dense.npy --given numbers8.npy -o double.npz --device cpu
same cpu.npz double.npz
expect 0 "$CUSEQ" run $model dense.npy --given numbers.npy --steps 4 --json
json_is 4 steps
expect 0 "$CUSEQ" info $model
out_has '^decoder +1 layer, 3 steps, reads given, token$'
out_has '^ +each step is given 2 numbers$'
expect 0 "$CUSEQ" bench $model --batch 2
out_has ' ok$'

# The second half of the rows is what it is alone: windows of rows take their own numbers.
expect 0 "$CUSEQ" run $model many.npy --given numbers_many.npy -o many.npz --device cpu
"$HELPERS/cli_arrays" many.npz outputs | tail -48 >last
"$HELPERS/cli_arrays" cpu.npz outputs | tail -48 >alone
same last alone

# What is missing or does not fit is said before anything is computed.
expect 2 "$CUSEQ" run $model dense.npy
err_has "^cuseq: $model: each step of the model is given 2 numbers \(needed --given GIVEN.npy\)$"
expect 2 "$CUSEQ" compare $model dense.npy
err_has 'needed --given GIVEN.npy'
expect 2 "$CUSEQ" run forward.safetensors dense.npy --given numbers.npy
err_has "^cuseq: --given: the model's steps are given no numbers$"
expect 2 "$CUSEQ" run $model dense.npy --given dense.npy
err_has '^cuseq: dense.npy: does not fit the model and its input \(found rank 3 and 3 rows, needed numbers \[3,Y,2\]\)$'
expect 2 "$CUSEQ" run $model dense.npy --given flat.npy
err_has 'flat.npy: does not fit the model and its input \(found rank 2'
expect 2 "$CUSEQ" run $model dense.npy --given numbers_many.npy
err_has 'found rank 3 and 600 rows'
expect 2 "$CUSEQ" run $model dense.npy --given numbers.npy --steps 3
err_has '^cuseq: numbers.npy: not of as many steps as --steps \(found 4, needed 3\)$'
expect 2 "$CUSEQ" run $model dense.npy --given numbers_nan.npy
err_has '^cuseq: numbers_nan.npy: \[1,2,1\] is not finite \(found nan, needed a float32; --allow-nonfinite lets it through\)$'
expect 0 "$CUSEQ" run $model dense.npy --given numbers_nan.npy --allow-nonfinite
expect 2 "$CUSEQ" run $model dense.npy --given none.npy
err_has '^cuseq: none.npy: '
expect 2 "$CUSEQ" run $model dense.npy --given numbers.npy --beam 2
err_has 'each step of the decoder is given numbers, which searches do not take'
expect 2 "$CUSEQ" run $model dense.npy --given numbers.npy -o numbers.npy
err_has 'numbers.npy'

finish
