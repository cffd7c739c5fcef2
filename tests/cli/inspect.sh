# cuseq inspect: what files of weights have, and configurations to begin with.
. "$(dirname "$0")/lib.sh"
arrays=$ROOT/tests/golden/arrays

expect 0 "$CUSEQ" inspect "$arrays/opennmt.pt"
out_has '^file       .*opennmt.pt: a PyTorch checkpoint$'
out_has '^arrays     30:$'
out_has '^  encoder.rnn.weight_ih_l0_reverse  F32 \[12,5\]$'
out_has '^  encoder.rnn  an nn.LSTM of 2 layers, bidirectional, 3 units a direction, reads 5$'
out_has '^  decoder.rnn.layers.0  an nn.LSTMCell, 6 units, reads 10$'
out_has '^  generator.0  an nn.Linear, reads 6 and gives 11$'
out_has '^  encoder.embeddings.emb_luts.0  an nn.Linear or an nn.Embedding, .*13 rows of 5$'
silent
expect 0 "$CUSEQ" inspect "$arrays/opennmt.safetensors"
out_has '^  decoder.rnn.layers.1  an nn.LSTMCell, 6 units, reads 6$'
expect 0 "$CUSEQ" inspect "$ROOT/tests/golden/keras/additive.h5"
out_has 'of Keras'

# JSON that is JSON, with what the text has.
expect 0 "$CUSEQ" inspect "$arrays/g2p.pt" --json
python3 - out <<'END' || wrong "the JSON does not say what it should"
import json, sys
found = json.load(open(sys.argv[1]))
assert found["format"] == "a PyTorch checkpoint" and len(found["arrays"]) == 12
assert {"name": "enc.weight_hh_l0", "dtype": "F32", "shape": [18, 6]} in found["arrays"]
modules = {module["name"]: module for module in found["modules"]}
assert modules["enc"] == {"name": "enc", "kind": "gru", "what": "an nn.GRU", "units": 6, "inputs": 5, "layers": 1, "directions": 1}
assert modules["fc"]["kind"] == "linear" and modules["dec"]["what"] == "an nn.GRUCell"
END

# From the proposal to the model: convert names the next key, until the model is the one that its author's configuration makes.
expect 0 "$CUSEQ" inspect "$arrays/pooled_mean.pt" -o config.json
err_has '^cuseq: config.json: written; what says FILL IN the arrays do not tell$'
expect 2 "$CUSEQ" convert "$arrays/pooled_mean.pt" out.safetensors --config config.json
err_has '^cuseq: config.json: configuration: output.over is unknown \(found "FILL IN: every'
sed -i 's/"FILL IN: every[^"]*"/"mean"/' config.json
expect 2 "$CUSEQ" convert "$arrays/pooled_mean.pt" out.safetensors --config config.json
err_has '^cuseq: config.json: configuration: output.layers.0.activation is unknown \(found "FILL IN: relu'
sed -i 's/"FILL IN: relu[^"]*"/"tanh"/' config.json
expect 0 "$CUSEQ" convert "$arrays/pooled_mean.pt" found.safetensors --config config.json
err_has '^cuseq: .*pooled_mean.pt: read as the arrays of a PyTorch checkpoint$'
expect 0 "$CUSEQ" convert "$arrays/pooled_mean.pt" own.safetensors --config "$arrays/pooled_mean.json"
expect 0 "$CUSEQ" info found.safetensors
sed 1d out >described
expect 0 "$CUSEQ" info own.safetensors
sed 1d out | cmp -s - described || wrong "the proposal should make the author's model"

# Of a decoder.
expect 0 "$CUSEQ" inspect "$arrays/g2p.pt" -o config.json
expect 2 "$CUSEQ" convert "$arrays/g2p.pt" out.safetensors --config config.json
err_has '"decoder.layers.0.initial_h" is not an object'
sed -i -e 's/"FILL IN: {[^,]*zeros.*"/{"from": "encoder"}/' -e 's/"FILL IN: the token that a[^"]*"/1/' \
  -e 's/"FILL IN, or[^"]*"/2/' -e 's/"FILL IN: how many[^"]*"/6/' config.json
expect 0 "$CUSEQ" convert "$arrays/g2p.pt" out.safetensors --config config.json
expect 0 "$CUSEQ" convert "$arrays/g2p.pt" own.safetensors --config "$arrays/g2p.json"
expect 0 "$CUSEQ" info out.safetensors
sed 1d out >described
expect 0 "$CUSEQ" info own.safetensors
sed 1d out | cmp -s - described || wrong "the proposal should make the author's model"

# Arrays of an author's own names.
PATH=/usr/bin:$PATH python3 - <<'END' && single=1
import numpy
shapes = {"enc_emb": (13, 5), "enc_w_ih": (18, 5), "enc_w_hh": (18, 6), "enc_b_ih": 18, "enc_b_hh": 18, "fc_w": (7, 6), "fc_b": 7}
numpy.savez("single.npz", **{name: numpy.full(shape, 0.5, numpy.float32) for name, shape in shapes.items()})
END
if [ "${single:-0}" = 1 ]; then
  expect 0 "$CUSEQ" inspect single.npz -o config.json
  out_has '^  enc_w_hh  arrays of a GRU, 6 units, reads 5$'
  out_has '^  fc_w  arrays of a dense layer, reads 6 and gives 7$'
  expect 2 "$CUSEQ" convert single.npz out.safetensors --config config.json
  err_has 'output.over is unknown'
  sed -i 's/"FILL IN: every[^"]*"/"every"/' config.json
  expect 2 "$CUSEQ" convert single.npz out.safetensors --config config.json
  err_has '^cuseq: config.json: names: "encoder"."gates" is not the gates of a GRU'
  sed -i 's/"FILL IN: r[^"]*"/"r,z,n"/' config.json
  expect 0 "$CUSEQ" convert single.npz out.safetensors --config config.json
  # ... with texts and numbers beside them, which have to be named, too.
  PATH=/usr/bin:$PATH python3 -c 'import numpy
numpy.savez("more.npz", letters=numpy.array(["a", "b"]), epoch=3, **numpy.load("single.npz"))'
  expect 0 "$CUSEQ" inspect more.npz
  out_has '^  letters  of another kind '
  expect 2 "$CUSEQ" convert more.npz out.safetensors --config config.json
  err_has "^cuseq: more.npz: tensor '(letters|epoch)': nothing in names reaches it"
  sed -i 's/"names": {/"names": {"ignore": ["letters", "epoch"],/' config.json
  expect 0 "$CUSEQ" convert more.npz out.safetensors --config config.json
else
  echo "skipped: arrays of an author's own names, which need numpy"
fi

# What is no file of arrays, or one without a cell.
printf 'text\n' >text.pt
expect 2 "$CUSEQ" inspect text.pt
err_has '^cuseq: text.pt: a text \(needed named arrays'
expect 2 "$CUSEQ" inspect missing.pt
err_has '^cuseq: missing.pt: .*No such file'
expect 2 "$CUSEQ" inspect "$ROOT/tests/golden/kinds/before_1_6.pth"
err_has 'before_1_6.pth: a PyTorch checkpoint that is no zip'
expect 2 "$CUSEQ" inspect "$ROOT/tests/golden/kinds/script.pt"
err_has 'script.pt: a TorchScript program, not a state_dict'
expect 2 "$CUSEQ" inspect "$ROOT/tests/golden/kinds/checkpoint.pt" -o config2.json
err_has 'checkpoint.pt: no arrays of an LSTM or GRU that could be an encoder$'
absent config2.json
cp "$arrays/g2p.pt" own.pt
expect 2 "$CUSEQ" inspect own.pt -o ./own.pt
cmp -s "$arrays/g2p.pt" own.pt || wrong "the file was written over"
finish
