# cuseq score: how probable the outputs of pairs are.
. "$(dirname "$0")/lib.sh"
files
model=text.safetensors

printf 'abc\txy\n\na b\tyyx\r\nc\t\n' >pairs.tsv
for device in reference cpu; do
  expect 0 "$CUSEQ" score $model pairs.tsv --device $device
  silent
  out_has "^abc	xy	-[0-9.]+	[0-9.]+$"
  out_has "^c		-[0-9.]+	[0-9.]+$"
  out_has '^perplexity [0-9.]+: 3 pairs, 8 tokens, log-probability -[0-9.]+, on '
  head -3 out | awk -F '\t' '(exp(-$3 / (length($2) + 1)) - $4)^2 > 1e-8 {exit 1}' || wrong "perplexities should be exp(-sum / tokens)"
  awk -F '\t' 'NR < 4 {s += $3} NR == 4 {split($0, w, /[ ,:]+/); exit !((s - w[8])^2 < 1e-8 && (exp(-s / 8) - w[2])^2 < 1e-8)}' out ||
    wrong "the last line should be of all pairs"
  cp out $device.txt
done
for batch in 1 2; do
  expect 0 "$CUSEQ" score $model pairs.tsv --device cpu --batch $batch
  same out cpu.txt
done

# The score of an output is the one that translate gives it.
expect 0 "$CUSEQ" translate $model abc --scores --device cpu
IFS='	' read -r text score <out
printf 'abc\t%s\n' "$text" >own.tsv
expect 0 "$CUSEQ" score $model own.tsv --device cpu
head -1 out | awk -F '\t' -v score="$score" '{exit !(($3 - score)^2 < 1e-8)}' || wrong "the score should be $score"

expect 0 "$CUSEQ" score $model pairs.tsv --json
json_is 3 count
json_is 8 tokens
json_is yyx pairs 1 output
is_json pairs 0 log_probability
is_json pairs 0 log_probabilities 2
is_json perplexity

# Without an end token, and without feedback.
printf '3 May 1979\t1979-05-03\nsat 21 Jan, 2012\t2012-01-21\n3 May 1979\t1979-05-04\n' >dates.tsv
for device in reference cpu; do
  expect 0 "$CUSEQ" score "$DATES" dates.tsv --device $device
  awk -F '\t' 'NR < 3 && $4 > 1.01 || NR == 3 && $4 < 2 {exit 1}' out ||
    wrong "right dates should be probable and a wrong one not"
  out_has ': 3 pairs, 30 tokens'
done

# What is wrong with a file is told before anything is scored.
bad() {
  printf "$1" >bad.tsv
  expect 2 "$CUSEQ" score $model bad.tsv
  err_has "^cuseq: bad.tsv: $2"
  out_is ''
}
bad '' 'empty'
bad 'abc\n' 'line 1: not a pair'
bad 'abc\tx\nabd\tx\n' 'line 2: character 2 is not in the vocabulary'
bad 'abc\tx\n\nabc\txw\n' 'line 3: the second text: character 1 is not in the output vocabulary \(found U\+0077'
bad 'abc abc\tx\n' 'line 1: too long'
expect 0 "$CUSEQ" score $model bad.tsv --truncate
expect 2 "$CUSEQ" score small.safetensors pairs.tsv
err_has 'no vocabulary'
expect 2 "$CUSEQ" score $model missing.tsv
finish
