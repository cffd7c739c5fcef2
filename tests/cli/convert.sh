# cuseq convert: what it takes and what it refuses.
. "$(dirname "$0")/lib.sh"
files
keras=$ROOT/tests/golden/keras

cp "$keras/additive.h5" model.h5
expect 2 "$CUSEQ" convert missing out.safetensors
err_has '^cuseq: missing: cannot be opened \(No such file'
expect 2 "$CUSEQ" convert model.h5 out.h5
err_has '^cuseq: out.h5: unknown kind of file to write'
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors
err_has 'needed --config CONFIG.json'
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config config.json --vocabulary words.json
err_has '--vocabulary: goes without --config'
expect 2 "$CUSEQ" convert missing.h5 out.safetensors
err_has '^cuseq: missing.h5: .*No such file'
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config missing.json
err_has '^cuseq: missing.json: .*No such file'

# A state_dict made of attention.safetensors becomes that model again, but for the rounding of its two biases.
printf '{"version":1,"encoder":{"features":3,"units":2},'\
'"attention":{"score":"dot"},"names":{"encoder":"lstm"}}' >config.json
expect 0 "$CUSEQ" convert state_dict.safetensors torch.safetensors --pytorch config.json
err_has '^cuseq: state_dict.safetensors: read as the arrays of a .safetensors file$'
expect 0 "$CUSEQ" run torch.safetensors dense.npy -o torch.npz
expect 0 "$CUSEQ" run attention.safetensors dense.npy -o attention.npz
"$HELPERS/cli_arrays" torch.npz context >got
"$HELPERS/cli_arrays" attention.npz context | paste got - |
  awk '{d = $1 - $2; if (d > 2e-6 || d < -2e-6) exit 1}' || wrong "both models should give the same"
printf '{"version":1,"encoder":{"features":3,"units":2},'\
'"attention":{"score":"dot"},"names":{"encoder":"gru"}}' >gru.json
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config gru.json
err_has '^cuseq: .*gru'
absent out.safetensors

{ printf '\xef\xbb\xbf'; cat config.json; } >marked.json
expect 0 "$CUSEQ" convert state_dict.safetensors marked.safetensors --config marked.json
same marked.safetensors torch.safetensors
printf '\xff\xfe{\0}\0' >utf16.json
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config utf16.json
err_has '^cuseq: utf16.json: UTF-16 \(needed UTF-8'

printf '{"version":1}\0' >zero.json
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config zero.json
err_has '^cuseq: zero.json: .*zero byte'
printf '{"version":1' >cut.json
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config cut.json
err_has '^cuseq: cut.json: configuration: not JSON'
absent out.safetensors

: >empty.h5
mkdir folder.h5
cp small.safetensors wrong.h5
cp small.safetensors wrong.keras
for file in empty.h5 folder.h5 wrong.h5 wrong.keras; do
  expect 2 "$CUSEQ" convert $file out.safetensors
  err_has "^cuseq: $file: "
  absent out.safetensors
done

if [ -f "$DATA/dates_keras2.h5" ]; then
  expect 2 "$CUSEQ" convert "$DATA/dates_keras2.h5" d.safetensors
  err_has "'attention_weights' .*--own-activation softmax=softmax_axis1 takes it over the positions"
  own=(--own-activation softmax=softmax_axis1)
  expect 0 "$CUSEQ" convert "$DATA/dates_keras2.h5" d.safetensors "${own[@]}"
  err_has '^cuseq: .*dates_keras2.h5: read as a Keras model'
  out_is ''
  expect 0 "$CUSEQ" run d.safetensors "$DATA/dates_onehot.npy" -o out.npz
  expect 0 "$CUSEQ" compare d.safetensors "$DATA/dates_onehot.npy" --device cpu
  expect 0 "$CUSEQ" convert "$DATA/dates_keras2.h5" d.safetensors "${own[@]}" \
    --vocabulary "$ROOT/examples/dates/vocabulary.json"
  expect 0 "$CUSEQ" translate d.safetensors '3 May 1979' '13 mar 1993' 'monday august 18 1986'
  out_is '1979-05-03
1993-03-13
1986-08-18'
  cp d.safetensors old
  printf '{"length":30}' >bad.json
  expect 2 "$CUSEQ" convert "$DATA/dates_keras2.h5" d.safetensors "${own[@]}" --vocabulary bad.json
  same d.safetensors old
  expect 2 "$CUSEQ" convert "$DATA/dates_keras2.h5" missing/d.safetensors "${own[@]}"
  err_has 'missing/d.safetensors: '
  head -c 20000 "$DATA/dates_keras2.h5" >cut.h5
  expect 2 "$CUSEQ" convert cut.h5 out.safetensors
  err_has '^cuseq: cut.h5: '
  absent out.safetensors
else
  echo 'dates_keras2.h5 is not there: not converted'
fi

# What the user says of the author's functions, and says wrongly.
own_softmax="$keras/exercise_own_softmax_keras2.h5"
for said in 'softmax:not NAME=MEANING .found "softmax"' '=tanh:not NAME=MEANING' 'softmax=:not NAME=MEANING' \
  "softmax=softmax_axis:cuseq has no activation 'softmax_axis' .needed softmax_axis1" \
  "softmax=tanh,softmax=relu:'softmax' is said twice" 'softmax=softmax_axis1,:not NAME=MEANING .found ""' \
  "softmax=softmax_axis1,sofmax=tanh:no layer of the model has an activation called 'sofmax'"; do
  expect 2 "$CUSEQ" convert "$own_softmax" out.safetensors --own-activation "${said%%:*}"
  err_has "^cuseq: --own-activation: ${said#*:}"
  absent out.safetensors
done
expect 2 "$CUSEQ" convert "$own_softmax" out.safetensors --own-activation softmax=softmax
err_has "'attention_weights' .*softmax over an axis of one entry is 1 everywhere"
# What the user says of a decoder.
given="$keras/written_keras_example.keras"
expect 0 "$CUSEQ" convert "$given" out.safetensors --start-token 1 --end-token 2 --steps 7
err_has "is the tokens of the decoder: it begins with 1"
expect 0 "$CUSEQ" info out.safetensors
out_has '7 steps'
out_has 'from token 1'
out_has 'ends with token 2'
rm -f out.safetensors
expect 0 "$CUSEQ" convert "$given" out.safetensors
err_has 'give them as targets .--start-token N at conversion says'
rm -f out.safetensors
for said in '--start-token 99:the start token is out of range .found 99, needed 0 to 7' \
  '--start-token x:--start-token: not a whole number that fits .found "x", needed 0 to 2147483647, or a symbol of --vocabulary.'; do
  expect 2 "$CUSEQ" convert "$given" out.safetensors ${said%%:*}
  err_has "${said#*:}"
  absent out.safetensors
done
# Of a loop over its own probabilities the user says what an input stands for, and nothing else.
loop="$keras/written_probabilities_blog.keras"
expect 0 "$CUSEQ" convert "$loop" out.safetensors --start-token 3 --end-token 0
err_has "input 'decoder_inputs' is the one-hot row of the token before the first step, which is 3 here"
expect 0 "$CUSEQ" info out.safetensors
out_has 'reads its last probabilities, from token 3'
out_has 'ends with token 0'
rm -f out.safetensors
expect 2 "$CUSEQ" convert "$loop" out.safetensors
err_has "'decoder_inputs' .*the probabilities of the step before .say of which token it is the one-hot row: --start-token N.$"
absent out.safetensors
expect 2 "$CUSEQ" convert "$keras/written_probabilities_zeros.keras" out.safetensors --start-token 3
err_has 'it is what the first step reads, and not the one-hot row of token 3'
absent out.safetensors
for option in --start-token --end-token --steps; do
  expect 2 "$CUSEQ" convert "$keras/written_gru_softmax.keras" out.safetensors $option 1
  err_has "$option: the model has no decoder that"
  absent out.safetensors
  expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config config.json $option 1
  err_has 'go without --config'
done
expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --pytorch config.json --own-activation a=tanh
err_has '^cuseq: --own-activation: goes with a Keras model'
for file in "$keras"/additive.h5 "$keras"/additive.keras; do
  [ -f "$file" ] || continue
  expect 0 "$CUSEQ" convert "$file" out.safetensors
  expect 0 "$CUSEQ" info out.safetensors
  out_has '^attention  additive'
  rm -f out.safetensors
done
# The steps of examples/dates make the very file that lies in models/.
expect 0 "$CUSEQ" convert "$ROOT/examples/dates/dates.keras" dates.safetensors \
  --vocabulary "$ROOT/examples/dates/vocabulary.json"
same dates.safetensors "$DATES"
expect 0 "$CUSEQ" convert "$ROOT/examples/dates/dates_feedback.keras" feedback.safetensors \
  --vocabulary "$ROOT/examples/dates/vocabulary.json" --start-token 0
same feedback.safetensors "$ROOT/models/dates_feedback.safetensors"
# A token by its symbol: number 0 of the dates' output is "-".
rm -f feedback.safetensors
expect 0 "$CUSEQ" convert "$ROOT/examples/dates/dates_feedback.keras" feedback.safetensors \
  --vocabulary "$ROOT/examples/dates/vocabulary.json" --start-token -
same feedback.safetensors "$ROOT/models/dates_feedback.safetensors"
expect 2 "$CUSEQ" convert "$ROOT/examples/dates/dates_feedback.keras" symbol.safetensors \
  --vocabulary "$ROOT/examples/dates/vocabulary.json" --start-token qq
err_has "^cuseq: --start-token: no number, and no symbol of the vocabulary's output .found \"qq\"."
absent symbol.safetensors
{ printf '\xef\xbb\xbf'; cat "$ROOT/examples/dates/vocabulary.json"; } >marked.json
expect 0 "$CUSEQ" convert "$ROOT/examples/dates/dates.keras" dates.safetensors --vocabulary marked.json
same dates.safetensors "$DATES"

# Outputs beside the decoder's are left out where they are arrays of every run, and inputs that nothing depends on.
expect 0 "$CUSEQ" convert "$keras/outputs_beside.keras" out.safetensors
err_has '^cuseq: .*: outputs 3 to 4 of the model: left out, as they are alphas of cuseq run, steps 1 to 2$'
err_has '^cuseq: .*: outputs 5 to 6 of the model: left out, as they are context of cuseq run, steps 1 to 2$'
err_has '^cuseq: .*: output 9 of the model: left out, as it is annotations of cuseq run$'
err_has '^cuseq: .*: output 11 of the model: left out, as it is c_fw of cuseq run$'
expect 0 "$CUSEQ" convert "$keras/outputs_alphas_joined.keras" out.safetensors
err_has '^cuseq: .*: output 4 of the model: left out, as it is alphas of cuseq run$'
expect 0 "$CUSEQ" convert "$keras/outputs_of_one.keras" out.safetensors
err_has '^cuseq: .*: output 1, \[batch, 3\], is given as outputs \[batch, 3, 1\]$'
expect 0 "$CUSEQ" convert "$keras/input_unused.keras" out.safetensors
err_has "^cuseq: .*: input 'nobody' is left out: the model's outputs do not depend on it$"
rm -f out.safetensors

# What is wrong in a JSON file is said of that file.
for text in '[1]' '{bad' '{"length":30,"inpput":[],"output":[]}' '{"length":30,"input":["a"],"output":["b"]}'; do
  printf '%s' "$text" >words.json
  expect 2 "$CUSEQ" convert "$keras/additive.keras" out.safetensors --vocabulary words.json
  err_has '^cuseq: words.json: .*vocabulary'
done
expect 2 "$CUSEQ" convert missing.keras out.safetensors --vocabulary words.json
err_has '^cuseq: missing.keras: '
for text in '{bad' '[]' '{}' '{"version":1}' '{"version":1,"names":{"output":1}}' '{"version":1,"nmes":{}}'; do
  printf '%s' "$text" >config.json
  expect 2 "$CUSEQ" convert "$ROOT/tests/golden/pytorch/packed.safetensors" out.safetensors --config config.json
  err_has '^cuseq: config.json: (configuration|names): '
done
sed 's/"units"/"unts"/' "$ROOT/tests/golden/pytorch/stacked.json" >config.json
expect 2 "$CUSEQ" convert "$ROOT/tests/golden/pytorch/stacked.safetensors" out.safetensors --config config.json
err_has '^cuseq: config.json: configuration: "encoder" has an unknown key "unts"$'

for file in "$keras"/bad_*.keras "$keras"/bad_*.h5; do
  [ -f "$file" ] || continue
  expect 2 "$CUSEQ" convert "$file" out.safetensors
  err_has "^cuseq: .*$(basename "$file"): "
  absent out.safetensors
done
# An encoder and one step of its decoder, in two files.
keras=$ROOT/tests/golden/keras
cp "$keras"/written_pair_* "$keras"/written_gru_softmax.keras .
expect 0 "$CUSEQ" convert written_pair_attention.keras written_pair_attention_decoder.keras pair.safetensors --start-token 1 --end-token 2 --steps 5
err_has '^cuseq: written_pair_attention.keras: read as the encoder of a Keras model of two files$'
expect 0 "$CUSEQ" info pair.safetensors
out_has 'from token 1'
expect 2 "$CUSEQ" convert written_pair_attention_decoder.keras written_pair_attention.keras out.safetensors
err_has '^cuseq: written_pair_attention.keras: layer .input_layer. \(InputLayer\): it reads 7 tokens at a step \(needed one\)$'
expect 2 "$CUSEQ" convert written_gru_softmax.keras written_pair_one_hot_decoder.keras out.safetensors
err_has "^cuseq: written_pair_one_hot_decoder.keras: layer '.*none of the encoder's outputs .* --link .*=NUMBER"
expect 0 "$CUSEQ" convert written_pair_one_hot.keras written_pair_one_hot_decoder.keras linked.safetensors --link input_layer_2=2,input_layer_3=zeros
err_has "input 'input_layer_3' of the decoder begins with zeros"
expect 2 "$CUSEQ" convert written_pair_one_hot.keras written_pair_one_hot_decoder.keras out.safetensors --link input_layer_2=9
err_has "--link 'input_layer_2=9': no output of the encoder"
expect 2 "$CUSEQ" convert written_pair_one_hot.keras written_pair_one_hot_decoder.keras out.safetensors --link there=1
err_has "--link 'there=1': the decoder has no such input"
expect 2 "$CUSEQ" convert written_pair_one_hot.keras out.safetensors --link a=1
err_has '^cuseq: --link: goes with two files'
expect 2 "$CUSEQ" convert written_pair_one_hot.keras nothing.keras out.safetensors
err_has '^cuseq: nothing.keras: '
absent out.safetensors

finish
