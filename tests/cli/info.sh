# cuseq info, devices, bench.
. "$(dirname "$0")/lib.sh"
files

expect 0 "$CUSEQ" info text.safetensors
out_has '^encoder    1 bidirectional LSTM layer of 3 units, 4 features in'
out_has '^attention  additive: 3 units$'
out_has 'reads its last output, embedded in 2 units, from token 3'
out_has 'ends with token 3'
out_has "^in         4 symbols: a b c ' '$"
out_has '^out        4 symbols: x y z <end>$'
out_has '^  decoder.embedding +\[4,2\]$'
expect 0 "$CUSEQ" info attention.safetensors
out_has '^state      4 units'
out_lacks '^decoder'
expect 0 "$CUSEQ" info forward.safetensors
out_has 'forward LSTM layer of 2 units'
out_has '^output     4 linear$'
expect 0 "$CUSEQ" info small.safetensors
out_has '^weights    274 parameters'
expect 0 "$CUSEQ" info small.safetensors --json
json_is small.safetensors model
json_is 274 parameters
json_is 3 config encoder features
json_is '[4,5]' tensors output.kernel

# Version 2, part by part.
expect 0 "$CUSEQ" info layers.safetensors
out_is_head() { [ "$(head -"$(printf '%s\n' "$1" | wc -l)" out)" = "$1" ] || wrong "stdout should begin with: $1"; }
out_is_head "model      layers.safetensors
input      4 features, embedded in 3 units
encoder    2 layers, annotations 6 wide
           layer 0: bidirectional LSTM of 3 units, merge concat
           layer 1: bidirectional GRU of 4 units, reset before, relu, gates sigmoid, merge sum, then dense 6 tanh
attention  general, scale 0.5, asked by the current state of decoder layer 0
           value through dense 5 linear
decoder    2 layers, 8 steps, reads token, attentional
           layer 0: LSTM of 6 units; h begins with encoder layer 0's h, c with encoder layer 0's c
           layer 1: GRU of 6 units, reset after, residual, reads the context; h begins with zeros
           attentional: dense 5 tanh over context, state
           follows its last output, embedded in 3 units, from token 3
           ends with token 3
output     dense 4 softmax over attentional
texts      of up to 6 characters"
expect 0 "$CUSEQ" info plain.safetensors
out_lacks '^attention'
out_has '^           follows its last output, one-hot, from token 0$'
out_has '^output     dense 5 tanh, dense 4 log_softmax over state$'
expect 0 "$CUSEQ" info tagger.safetensors
out_has '^           layer 0: backward LSTM of 2 units$'
out_has '^output     kind: dense 4 softmax over every position$'
out_has '^           head 1: dense 2 linear over every position$'
out_lacks '^decoder'
expect 0 "$CUSEQ" info "$ROOT/tests/golden/models/structure_self_attention_residual.safetensors"
out_has '^           layer 0: forward GRU of 8 units, reset after, residual, attends to itself \(dot of 2 heads, scale 0.5, key through dense 8 linear, .*; itself beside the context\), then dense 8 normalised relu$'
expect 0 "$CUSEQ" info layers.safetensors --json
json_is current config attention asks
json_is '[3,12]' tensors encoder.layers.0.forward.kernel
expect 2 "$CUSEQ" info missing.safetensors

# Several inputs of a graph, side by side in one.
expect 0 "$CUSEQ" convert "$ROOT/tests/golden/keras/written_static_features.keras" joined.safetensors
expect 0 "$CUSEQ" info joined.safetensors
out_has '^input +5 features: input_layer 3, input_layer_1 2 \(the same at every position\)$'

expect 0 "$CUSEQ" devices
out_has '^reference '
out_has '^cpu '
[ "$(grep -c '(auto)$' out)" = 1 ] || wrong "one device should be marked"
expect 0 "$CUSEQ" devices --json
is_json 0 name
json_is cpu 1 name

expect 0 "$CUSEQ" bench small.safetensors --time 7 --batch 3 --device cpu
out_has '^device +precision +threads +B +T +Y +median us'
out_has '^cpu +float32 +[0-9]+ +3 +7 +3 +[0-9.]+ .* ok$'
expect 0 "$CUSEQ" bench text.safetensors --json --device reference --threads 1
json_is 6 time
json_is 8 steps
json_is true verified
is_json median_us
expect 0 "$CUSEQ" bench attention.safetensors
out_has ' 30 +1 '
expect 2 "$CUSEQ" bench small.safetensors --batch 2000000000
err_has '^cuseq: --batch: too large'
expect 2 "$CUSEQ" bench small.safetensors --device nothing
finish
