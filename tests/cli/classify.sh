# cuseq classify: texts in, labels out.
. "$(dirname "$0")/lib.sh"
files

# probabilities MODEL: the outputs for "ab c", one a line.
probabilities() {
  "$CUSEQ" run $1 letters.npy --device cpu -o out.npz >/dev/null 2>&1
  "$HELPERS/cli_arrays" out.npz outputs
}

# The labels are those of the outputs, the most probable first.
printf 'no\nper haps\n\n' >labels
probabilities classes.safetensors | paste labels - | sort -t '	' -k 2,2gr | awk -F '\t' '{printf "%s\t%.6g\n", $1, $2}' >wanted
expect 0 "$CUSEQ" classify classes.safetensors 'ab c' --top 3 --device cpu
silent
same out wanted
for device in reference cpu; do
  expect 0 "$CUSEQ" classify classes.safetensors 'ab c' --device $device
  [ "$(cut -f 1 out)" = "$(head -1 wanted | cut -f 1)" ] || wrong "the best label should be printed"
  [ "$(wc -l <out)" = 1 ] || wrong "one line was expected"
done

# Several heads: log_softmax, and sigmoids that do not exclude each other. One without labels is left out.
probabilities heads.safetensors >values
head -4 values | paste <(printf 'w\nx\ny\nz\n') - | sort -t '	' -k 2,2gr | awk -F '\t' '{printf "topic\t%s\t%.6g\n", $1, exp($2)}' >wanted
tail -3 values | paste <(printf 'dry\nwarm\nloud\n') - | sort -t '	' -k 2,2gr | awk -F '\t' '{printf "tone\t%s\t%.6g\n", $1, $2}' >>wanted
expect 0 "$CUSEQ" classify heads.safetensors 'ab c' --top 4 --device cpu
same out wanted

# One linear unit decides between two labels; the texts are words, padded.
expect 0 "$CUSEQ" classify review.safetensors 'the cat' 'Cat, the dog' --top 2
awk -F '\t' '{s[int((NR - 1) / 2)] += $2} END {exit !((s[0] - 1)^2 < 1e-10 && (s[1] - 1)^2 < 1e-10)}' out ||
  wrong "the two labels' probabilities should sum to 1"
[ "$(cut -f 1 out | sort -u | tr '\n' ' ')" = 'bad good ' ] || wrong "both labels should be printed"

# Lines give what arguments give; empty ones stay in step.
expect 0 "$CUSEQ" classify classes.safetensors abc '' 'b a' --top 2
[ "$(sed -n 3,4p out)" = '' ] && [ "$(wc -l <out)" = 6 ] || wrong "an empty text should give two empty lines"
cp out wanted
COMMAND='classify - of three lines'
printf 'abc\r\n\nb a' | "$CUSEQ" classify classes.safetensors - --top 2 >out 2>err
same out wanted
for i in $(seq 300); do printf 'abc\n\nb a\n'; done >lines
for i in $(seq 300); do cat wanted; done >many
"$CUSEQ" classify classes.safetensors - --top 2 <lines >out 2>err
same out many

# JSON.
expect 0 "$CUSEQ" classify classes.safetensors abc '' --json --top 2
json_is abc 0 input
json_is null 1 label
json_is '[]' 1 labels
is_json 0 labels 1 probability
is_json 0 label
expect 0 "$CUSEQ" classify heads.safetensors abc --json
is_json 0 heads topic label
is_json 0 heads tone labels 0 probability
COMMAND='classify --json of nothing'
printf '' | "$CUSEQ" classify classes.safetensors - --json >out 2>err
out_is '[]'

# A picture of what the label was read from.
expect 0 "$CUSEQ" classify classes.safetensors 'ab c' --plot out.svg
for label in a b c; do
  grep -q ">$label</text>" out.svg || wrong "out.svg should have the label $label"
done
grep -q 'ab c →' out.svg || wrong "out.svg should have a title"
expect 2 "$CUSEQ" classify heads.safetensors abc --plot out.svg
err_has '^cuseq: --plot: heads.safetensors has no attention to draw$'
expect 0 "$CUSEQ" classify classes.safetensors '' --plot none.svg
err_has 'none.svg: not written'

# What a text may not be. Those before it are printed.
expect 2 "$CUSEQ" classify classes.safetensors abc abd
err_has '^cuseq: text 2: character 2 is not in the vocabulary \(found U\+0064, and there is no <unk>\)$'
[ "$(wc -l <out)" = 1 ] || wrong "the text before should be printed"
expect 2 "$CUSEQ" classify classes.safetensors 'abc abc'
err_has '^cuseq: text 1: too long \(found 7 characters, at most 6\); --truncate cuts it$'
expect 0 "$CUSEQ" classify classes.safetensors 'abc abc' --truncate
expect 2 "$CUSEQ" classify review.safetensors 'the the the the the the the'
err_has '^cuseq: text 1: too long \(found 7 words, at most 6\)'
COMMAND='classify - with a bad second line'
printf 'abc\nabd\n' | "$CUSEQ" classify classes.safetensors - --json >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 2: '
json_is abc 0 input

# Options and models that do not fit.
expect 2 "$CUSEQ" classify classes.safetensors abc --top 4
err_has "^cuseq: --top: more than the model's labels \(found 4, needed 1 to 3\)$"
expect 2 "$CUSEQ" classify classes.safetensors abc --top 0
err_has '^cuseq: --top: not a whole number'
expect 2 "$CUSEQ" classify text.safetensors abc
err_has '^cuseq: text.safetensors: the model does not fit \(found a decoder, needed a label for a text; cuseq translate takes it\)$'
expect 2 "$CUSEQ" classify tags.safetensors abc
err_has 'found outputs for each token, needed a label for a text; cuseq tag takes it'
expect 2 "$CUSEQ" classify attention.safetensors abc
err_has 'found no outputs, needed a label for a text; cuseq run takes it'
expect 2 "$CUSEQ" classify unlabelled.safetensors abc
err_has "^cuseq: unlabelled.safetensors: the model's vocabulary has no \"labels\""
expect 2 "$CUSEQ" classify dense.npy abc
err_has '^cuseq: dense.npy: an array'
expect 2 "$CUSEQ" translate classes.safetensors abc
err_has 'found outputs for a text, needed a decoder, which writes texts; cuseq classify takes it'
finish
