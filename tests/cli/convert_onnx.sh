# cuseq convert: ONNX models of one file and of two, and what is asked for where they do not fit.
. "$(dirname "$0")/lib.sh"
files
onnx=$ROOT/tests/golden/onnx
cp "$onnx"/external.dynamo.* "$onnx"/tagger.legacy.* "$onnx"/tutorial.legacy.* "$onnx"/opennmt.legacy.* .

expect 0 "$CUSEQ" convert tagger.legacy.model.onnx tagger.safetensors
err_has '^cuseq: tagger.legacy.model.onnx: read as an ONNX model$'
expect 0 "$CUSEQ" info tagger.safetensors
out_has 'over every position'

# Weights beside the model are found from any folder, and missed by their name.
mkdir folder
mv external.dynamo.* folder
expect 0 "$CUSEQ" convert folder/external.dynamo.model.onnx external.safetensors
rm folder/*.data
expect 2 "$CUSEQ" convert folder/external.dynamo.model.onnx out.safetensors
err_has '^cuseq: folder/external.dynamo.model.onnx: .*external.dynamo.model.onnx.data.* cannot be opened'
absent out.safetensors

expect 0 "$CUSEQ" convert tutorial.legacy.encoder.onnx tutorial.legacy.decoder.onnx pair.safetensors --start-token 1 --end-token 2 --steps 5
err_has '^cuseq: tutorial.legacy.encoder.onnx: read as the encoder of an ONNX model of two files$'
err_has 'output 2 of the model: left out, as it is alphas of cuseq run'
expect 0 "$CUSEQ" info pair.safetensors
out_has 'from token 1'
expect 0 "$CUSEQ" convert tutorial.legacy.encoder.onnx tutorial.legacy.decoder.onnx linked.safetensors --start-token 1 --end-token 2 --steps 5 \
  --link h=state_h,h=next_h,annotations=annotations
same linked.safetensors pair.safetensors

# What does not fit is named.
expect 2 "$CUSEQ" convert tutorial.legacy.encoder.onnx tutorial.legacy.decoder.onnx out.safetensors --link h=annotations
err_has "^cuseq: tutorial.legacy.decoder.onnx: "
expect 2 "$CUSEQ" convert tutorial.legacy.encoder.onnx tutorial.legacy.decoder.onnx out.safetensors --link hidden=state_h
err_has "--link 'hidden=state_h': the decoder has no such input"
expect 2 "$CUSEQ" convert tutorial.legacy.encoder.onnx opennmt.legacy.decoder.onnx out.safetensors
err_has "^cuseq: opennmt.legacy.decoder.onnx: input 'feed' of the decoder is \[batch, 10\], .*'state_h' is \[1, batch, 10\]"
expect 0 "$CUSEQ" convert tutorial.legacy.encoder.onnx opennmt.legacy.decoder.onnx zeros.safetensors --link feed=zeros,h=zeros,c=zeros
expect 2 "$CUSEQ" convert tutorial.legacy.decoder.onnx out.safetensors
err_has 'one step of a decoder is converted with its encoder.s file in front$'
absent out.safetensors

# Files and options that do not go together.
expect 2 "$CUSEQ" convert tagger.legacy.model.onnx out.safetensors --link a=b
err_has '^cuseq: --link: goes with two files'
expect 2 "$CUSEQ" convert tagger.legacy.model.onnx small.safetensors out.safetensors
err_has '^cuseq: small.safetensors: already a cuseq model$'
expect 2 "$CUSEQ" convert "$ROOT/tests/golden/keras/additive.h5" tagger.legacy.model.onnx out.safetensors
err_has '^cuseq: tagger.legacy.model.onnx: an ONNX model, and its encoder is a Keras model \(needed two files of one kind\)$'
echo '{}' >config.json
expect 2 "$CUSEQ" convert tagger.legacy.model.onnx out.safetensors --config config.json
err_has '^cuseq: --config: goes with named arrays'
absent out.safetensors
finish
