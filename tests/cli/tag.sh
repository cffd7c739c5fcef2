# cuseq tag: a label for each token of a text.
. "$(dirname "$0")/lib.sh"
files

# The labels are those of the largest outputs, at every position.
"$CUSEQ" run tags.safetensors letters.npy --device cpu -o out.npz >/dev/null
printf 'a\nb\n \nc\n' >tokens
{ "$HELPERS/cli_arrays" out.npz tokens | tr 012 ABC | paste tokens -; echo; } >wanted
[ "$(cut -f 2 wanted | sort -u | wc -l)" -ge 3 ] || wrong "the labels should not be one"
for device in reference cpu; do
  expect 0 "$CUSEQ" tag tags.safetensors 'ab c' --device $device
  silent
  same out wanted
done

# Words, as the text has them; several heads, one of a single unit.
expect 0 "$CUSEQ" tag words.safetensors '  The, cat	sat. '
out_is 'The,	DET	plural
cat	VERB	singular
sat.	VERB	plural'
"$CUSEQ" run words.safetensors sentence.npy --device cpu -o out.npz >/dev/null
"$HELPERS/cli_arrays" out.npz outputs >values
expect 0 "$CUSEQ" tag words.safetensors 'the cat sat' --json --device cpu
json_is cat 0 tokens 1 token
json_is VERB 0 tokens 1 heads pos label
wanted=$(sed -n 5,7p values | awk '{s += exp($1); m = NR == 1 || exp($1) > m ? exp($1) : m} END {print m / s}')
awk "BEGIN {d = $(is_json 0 tokens 1 heads pos probability; cat value) - $wanted; exit !(d^2 < 1e-10)}" ||
  wrong "the probability should be that of the softmax, $wanted"
wanted=$(sed -n 8p values)
awk "BEGIN {d = 1 - $(is_json 0 tokens 1 heads number probability; cat value) - $wanted; exit !(d^2 < 1e-10)}" ||
  wrong "the first of two labels should have what the unit leaves"

# Texts of several lengths in one batch, as arguments and as lines; empty ones give an empty line alone.
expect 0 "$CUSEQ" tag tags.safetensors c 'ab c' '' bb
for text in c 'ab c' bb; do "$CUSEQ" tag tags.safetensors "$text"; done >each
[ "$(grep -v '^$' out)" = "$(grep -v '^$' each)" ] || wrong "a text's labels should not depend on its batch"
[ "$(grep -c '^$' out)" = 4 ] || wrong "an empty line was expected behind each of four texts"
cp out wanted
COMMAND='tag - of four lines'
printf 'c\nab c\r\n\nbb' | "$CUSEQ" tag tags.safetensors - >out 2>err
same out wanted
for i in $(seq 200); do printf 'c\nab c\n\nbb\n'; done >lines
for i in $(seq 200); do cat wanted; done >many
"$CUSEQ" tag tags.safetensors - <lines >out 2>err
same out many

# JSON.
expect 0 "$CUSEQ" tag tags.safetensors 'ab c' '' --json
json_is ' ' 0 tokens 2 token
is_json 0 tokens 2 label
is_json 0 tokens 2 probability
json_is '[]' 1 tokens
COMMAND='tag --json of nothing'
printf '' | "$CUSEQ" tag tags.safetensors - --json >out 2>err
out_is '[]'

# What a text may not be. Those before it are printed.
expect 2 "$CUSEQ" tag words.safetensors 'the cat' 'the dog'
err_has '^cuseq: text 2: word 1 is not in the vocabulary \(found "dog", and there is no <unk>\)$'
[ "$(wc -l <out)" = 3 ] || wrong "the text before should be printed"
expect 2 "$CUSEQ" tag tags.safetensors $'a\tb'
err_has '^cuseq: text 1: character 1 is not in the vocabulary \(found U\+0009, and there is no <unk>\)$'
expect 2 "$CUSEQ" tag words.safetensors ' '
err_has '^cuseq: text 1: empty \(found 0 words, needed at least 1\)$'
expect 2 "$CUSEQ" tag tags.safetensors 'abc abc'
err_has 'too long \(found 7 characters, at most 6\); --truncate cuts it$'
expect 0 "$CUSEQ" tag tags.safetensors 'abc abc' --truncate
[ "$(wc -l <out)" = 7 ] || wrong "six tokens were expected"
expect 2 "$CUSEQ" tag tags.safetensors abc $'\xff'
err_has '^cuseq: text 2: .*UTF-8'
COMMAND='tag - with a bad second line'
printf 'abc\nabd\n' | "$CUSEQ" tag tags.safetensors - --json >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 2: '
json_is abc 0 input

# Models that do not fit.
expect 2 "$CUSEQ" tag text.safetensors abc
err_has 'found a decoder, needed a label for each token; cuseq translate takes it'
expect 2 "$CUSEQ" tag classes.safetensors abc
err_has 'found outputs for a text, needed a label for each token; cuseq classify takes it'
expect 2 "$CUSEQ" tag tagger.safetensors abc
err_has '^cuseq: tagger.safetensors: the model has no vocabulary'
expect 2 "$CUSEQ" evaluate tags.safetensors lines
err_has 'found outputs for each token, needed a decoder, which writes texts; cuseq tag takes it'
finish
