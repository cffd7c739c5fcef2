# Files of the wrong kind: every command says what they are and which command takes them, by what they hold.
. "$(dirname "$0")/lib.sh"
files
kinds=$ROOT/tests/golden/kinds
keras=$ROOT/tests/golden/keras
cp -R "$kinds"/* .
cp "$keras/additive.keras" "$keras/additive.h5" .
cp "$ROOT/tests/golden/formats/stored.npz" .
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n' >pointer.keras
printf '\n<!DOCTYPE HTML>\n<html></html>\n' >page.h5
printf 'abc\txyz\n' >pairs.tsv
gzip -c additive.h5 >additive.h5.gz
tar cf additive.tar additive.h5
head -c 3000 additive.keras >cut.keras
head -c 60 model.onnx >cut.onnx
head -c 100 state_dict.safetensors >cut.safetensors

# is_told FILE TO_A_MODEL [WHAT]: as the model of every command, and under names that say other things. Without WHAT
# the answer is the same wherever else the file is given; with it, it is WHAT and what was needed.
is_told() {
  local file=$1 told="$2" what=${3:-} name option
  for command in 'run %s dense.npy' 'compare %s dense.npy' 'info %s' 'bench %s' 'translate %s abc' \
    'evaluate %s pairs.tsv' 'score %s pairs.tsv' 'classify %s abc' 'tag %s abc'; do
    expect 2 "$CUSEQ" ${command/\%s/$file}
    err_has "^cuseq: $file: $told"
    out_is ''
  done
  for command in run compare; do
    expect 2 "$CUSEQ" $command small.safetensors $file
    err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed (one|an) array in .npy}"
  done
  for option in lengths targets; do
    expect 2 "$CUSEQ" run small.safetensors dense.npy --$option $file
    err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed (one|an) array in .npy}"
  done
  if [ $file != stored.npz ]; then
    expect 2 "$CUSEQ" compare small.safetensors dense.npy --with $file
    err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed arrays in .npz, as numpy.savez writes them\\)}"
  fi
  for name in bare other.safetensors other.keras; do
    copy $file $name
    expect 2 "$CUSEQ" info $name
    err_has "^cuseq: $name: $told"
  done
  case $file:$what in saved_model:* | shards.json:* | *text | page* | pointer*) return ;; esac
  expect 2 "$CUSEQ" evaluate text.safetensors $file
  err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed lines of text, tab, text\\)}"
  expect 2 "$CUSEQ" convert additive.keras out.safetensors --vocabulary $file
  err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed a JSON text\\)}"
  expect 2 "$CUSEQ" convert state_dict.safetensors out.safetensors --config $file
  err_has "^cuseq: $file: ${what:-$told}${what:+ \\(needed a JSON text\\)}"
}

copy() {
  rm -rf "$2"
  cp -R "$1" "$2"
}

# has_no_converter FILE PATTERN: convert refuses it, under its own name and others.
has_no_converter() {
  local name
  for name in "$1" bare other.h5 other.keras other.safetensors; do
    [ "$name" = "$1" ] || copy "$1" "$name"
    expect 2 "$CUSEQ" convert $name out.safetensors
    err_has "^cuseq: $name: $2"
    absent out.safetensors
  done
}

model='a Keras model: cuseq convert makes a model of it$'
is_told additive.keras "$model" 'a Keras model'
is_told additive.h5 "$model" 'a Keras model'
is_told weights.h5 'an HDF5 file without a whole Keras model: model.save keeps .* --config does$' 'an HDF5 file without a whole Keras model'
is_told state_dict.safetensors 'named arrays in .safetensors, .* cuseq convert --config makes a model of it$' \
  'named arrays in .safetensors, without a cuseq configuration'

# What has a converter in no case is told the same by convert.
told() {
  is_told "$@"
  has_no_converter "$1" "$2"
}
for file in model.onnx cut.onnx; do
  is_told $file 'an ONNX model: cuseq convert makes a model of it$' 'an ONNX model'
done
has_no_converter model.onnx 'none of its inputs is a sequence '
has_no_converter cut.onnx 'not an ONNX model: it is damaged or cut short at byte [0-9]+$'
for file in checkpoint.pt before_1_6.pth script.pt; do
  is_told $file 'a PyTorch checkpoint: with a configuration, cuseq convert --config makes a model of it$' \
    'a PyTorch checkpoint'
  has_no_converter $file 'a PyTorch checkpoint, which does not say what model it is \(needed --config CONFIG.json, which cuseq inspect -o begins\)$'
done
told weights.pkl 'a Python pickle: cuseq cannot read it' 'a Python pickle'
told model.tflite 'a TensorFlow Lite model: cuseq cannot read it' 'a TensorFlow Lite model'
told saved_model 'a TensorFlow SavedModel: cuseq cannot read it' 'a TensorFlow SavedModel'
cp saved_model/saved_model.pb model.pb
told model.pb 'a TensorFlow SavedModel: cuseq cannot read it' 'a TensorFlow SavedModel'
told ckpt.index 'a TensorFlow checkpoint: load it into the Keras model' 'a TensorFlow checkpoint'
is_told stored.npz 'several arrays \(.npz\): of the weights of a model, cuseq convert --config makes a model$' \
  'several arrays \(.npz\)'
has_no_converter stored.npz 'several arrays \(.npz\), which does not say what model it is \(needed --config CONFIG.json, which cuseq inspect -o begins\)$'
told architecture.json 'a JSON text: not a model$' 'a JSON text'
printf '{"metadata": {"total_size": 8}, "weight_map": {"a.weight": "model-00001-of-00002.safetensors"}}\n' >shards.json
told shards.json 'the index of a checkpoint in several files: load it whole' 'the index of a checkpoint in several files'
told pairs.tsv 'a text: not a model$' 'a text'
told pointer.keras 'a pointer of Git LFS: git lfs pull fetches'
told page.h5 'a web page: it came in place of the file'
told additive.h5.gz 'a compressed file: unpack it first'
told additive.tar 'a tar archive: unpack it first'
told cut.keras 'a damaged zip archive: it was cut short'

# The other way round.
has_no_converter small.safetensors 'already a cuseq model$'
expect 2 "$CUSEQ" convert small.safetensors out.safetensors --config architecture.json
err_has '^cuseq: small.safetensors: already a cuseq model$'
has_no_converter dense.npy 'an array \(.npy\): an input, not a model$'
has_no_converter cut.safetensors 'a damaged .safetensors file'
: >nothing
has_no_converter nothing 'empty \(needed a Keras model'
printf '\001\002\003' >strange
has_no_converter strange 'unknown kind of file \(needed a Keras model'
mkdir plain_folder
has_no_converter plain_folder 'not a regular file \(it is a folder\)$'
expect 2 "$CUSEQ" run dense.npy small.safetensors
err_has '^cuseq: dense.npy: an array \(.npy\): an input, not a model$'
for command in run compare; do
  expect 2 "$CUSEQ" $command small.safetensors small.safetensors
  err_has '^cuseq: small.safetensors: a cuseq model \(needed an array in .npy, as numpy.save writes it\)$'
done

# What has a converter is converted whatever it is called.
for name in bare other.onnx other.safetensors; do
  for file in additive.keras additive.h5; do
    copy $file $name
    expect 0 "$CUSEQ" convert $name out.safetensors
    err_has "^cuseq: $name: read as a Keras model$"
    rm out.safetensors
  done
done
for name in bare other.h5 other.keras; do
  copy "$ROOT/tests/golden/pytorch/packed.safetensors" $name
  expect 0 "$CUSEQ" convert $name out.safetensors --config "$ROOT/tests/golden/pytorch/packed.json"
  err_has "^cuseq: $name: read as the arrays of a .safetensors file$"
  rm out.safetensors
done
# ... and a model is a model.
copy small.safetensors bare
expect 0 "$CUSEQ" info bare
finish
