# Beam search on the command line: translate and run --beam, and run --targets.
. "$(dirname "$0")/lib.sh"
files

for device in reference cpu; do
  for model in text layers plain; do
    # One beam is what there is without.
    expect 0 "$CUSEQ" translate $model.safetensors abc 'a b' c --device $device --scores
    cp out greedy
    expect 0 "$CUSEQ" translate $model.safetensors abc 'a b' c --device $device --scores --beam 1
    paste greedy out | awk -F '\t' '$1 != $3 || ($2 - $4)^2 > 1e-8 {exit 1}' || wrong "one beam should give what there is without"
    # N lines a text, best first, all different; an empty text gives as many.
    expect 0 "$CUSEQ" translate $model.safetensors abc '' c --device $device --scores --beam 4 --n-best 3
    [ "$(wc -l <out)" = 9 ] || wrong "nine lines were expected"
    [ "$(sed -n 4,6p out | cut -f 1 | tr -d '\n')" = '' ] || wrong "an empty text should give empty lines"
    for first in 1 7; do
      sed -n "$first,$((first + 2))p" out | awk -F '\t' 'NR > 1 && ($2 > score || $1 in seen) {exit 1} {score = $2; seen[$1]}' ||
        wrong "lines $first to $((first + 2)) should be in order and different"
    done
    # Every score is the log-probability of its output; those that are as long as may be have no end token.
    sed -n 1,3p out >found
    cut -f 1 found | sed 's/^/abc	/' >pairs.tsv
    expect 0 "$CUSEQ" score $model.safetensors pairs.tsv --device $device
    longest=8
    [ $model = plain ] && longest=5
    head -3 out | paste - found | awk -F '\t' -v longest=$longest \
      'NF != 6 || (length($2) < longest && ($3 - $6)^2 > 1e-8) {exit 1} length($2) < longest {n++} END {exit !n}' ||
      wrong "scores of the search and of its outputs should be the same"
  done
done

# Lines give what arguments give.
printf 'abc\n\nc\n' | "$CUSEQ" translate text.safetensors - --beam 4 --n-best 3 >lines
"$CUSEQ" translate text.safetensors abc '' c --beam 4 --n-best 3 >arguments
same lines arguments

# Lengths, and what they are divided by.
expect 0 "$CUSEQ" translate plain.safetensors abc --beam 4 --n-best 4 --min-length 3 --max-length 4 --json
for n in 0 1 2 3; do
  is_json 0 hypotheses $n tokens
  count=$(tr -cd , <value | wc -c)
  [ "$count" -ge 2 ] && [ "$count" -le 3 ] || wrong "result $n should have 3 or 4 tokens"
done
expect 2 "$CUSEQ" translate plain.safetensors abc --beam 4 --min-length 5 --max-length 4
err_has '^cuseq: --min-length: above the longest output \(found 5, needed 1 to 4\)'
# penalty KIND ALPHA FORMULA: what a score is, of the sum s and the length n
penalty() {
  expect 0 "$CUSEQ" translate plain.safetensors abc --beam 4 --n-best 4 --json --length-penalty $1 --alpha $2
  for n in 0 1 2 3; do
    is_json 0 hypotheses $n tokens
    local length=$(($(tr -cd , <value | wc -c) + 1)) sum score
    is_json 0 hypotheses $n log_probability && sum=$(cat value)
    is_json 0 hypotheses $n score && score=$(cat value)
    awk -v n=$length -v s="$sum" -v score="$score" "BEGIN {d = $3 - score; exit !(d * d < 1e-10)}" ||
      wrong "result $n of length $length: score $score of the sum $sum"
  done
}
penalty length 0.5 's / n^0.5'
penalty gnmt 0.6 's / ((5 + n) / 6)^0.6'
# What has ended keeps its place or leaves it, and is held against its length while searching or not.
"$CUSEQ" translate plain.safetensors abc --beam 3 --n-best 3 --device reference >keeps
"$CUSEQ" translate plain.safetensors abc --beam 3 --n-best 3 --device reference --retire >other
differ keeps other
"$CUSEQ" translate plain.safetensors abc --beam 3 --n-best 3 --device reference --length-penalty length >keeps
"$CUSEQ" translate plain.safetensors abc --beam 3 --n-best 3 --device reference --length-penalty length \
  --prune-by-score >other
differ keeps other

# JSON.
expect 0 "$CUSEQ" translate text.safetensors abc '' --beam 4 --n-best 2 --json --scores
json_is "$(sed -n 1p arguments)" 0 output
json_is "$(sed -n 2p arguments)" 0 hypotheses 1 output
is_json 0 hypotheses 1 log_probability
is_json 0 score
json_is '[]' 1 hypotheses

# Pictures are of the best.
expect 0 "$CUSEQ" translate text.safetensors abc --beam 3 --n-best 2 --plot out.svg
[ "$(grep -c "abc →" out.svg)" = 1 ] || wrong "out.svg should have one map"
expect 2 "$CUSEQ" translate plain.safetensors abc --plot out.svg
err_has '^cuseq: --plot: plain.safetensors has no attention'

# run: every array of the results.
for device in reference cpu; do
  expect 0 "$CUSEQ" run text.safetensors wide.npy --beam 3 --n-best 2 -o out.npz --device $device
  out_has '^  row 0, 2: [xyz]* \(score -[0-9.]+\)$'
  out_has '^  scores            float32 \[3,2\]$'
done
expect 0 "$HELPERS/cli_arrays" out.npz
out_is 'annotations float32 [3,5,6]
h_fw float32 [3,3]
c_fw float32 [3,3]
h_bw float32 [3,3]
c_bw float32 [3,3]
tokens int32 [3,2,8]
output_lengths int32 [3,2]
scores float32 [3,2]
log_probabilities float32 [3,2]
alphas float32 [3,2,8,5]'
"$HELPERS/cli_arrays" out.npz output_lengths >lengths
"$HELPERS/cli_arrays" out.npz alphas | awk '{s += $1} END {print s}' >sum
awk '{n += $1} END {getline s < "sum"; exit !((s - n)^2 < 1e-6)}' lengths || wrong "the weights of each step should sum to 1"
expect 0 "$CUSEQ" run plain.safetensors wide.npy --beam 2 -o out.npz
expect 0 "$HELPERS/cli_arrays" out.npz
out_lacks alphas
expect 0 "$CUSEQ" run text.safetensors wide.npy --beam 3 --n-best 2 --json --steps 2
json_is 2 steps
is_json rows 2 hypotheses 1 score
is_json rows 0 hypotheses 0 text
# Many rows go through in several batches and give each row what it gives alone.
expect 0 "$CUSEQ" run layers.safetensors ids_many.npy --beam 4 --n-best 2 -o many.npz
expect 0 "$CUSEQ" run layers.safetensors ids4.npy --beam 4 --n-best 2 -o few.npz
"$HELPERS/cli_arrays" many.npz scores | tail -6 >last
"$HELPERS/cli_arrays" few.npz scores >want
same last want
"$HELPERS/cli_arrays" many.npz tokens | tail -48 >last
"$HELPERS/cli_arrays" few.npz tokens >want
same last want

# What is asked for and cannot be.
expect 2 "$CUSEQ" translate text.safetensors abc --beam 5
err_has '^cuseq: --beam: more than the model.s outputs \(found 5, needed 1 to 4\)'
expect 2 "$CUSEQ" translate text.safetensors abc --beam 65
err_has '^cuseq: --beam: too many \(found 65, needed 1 to 64\)'
expect 2 "$CUSEQ" translate text.safetensors abc --beam 3 --n-best 4
err_has '^cuseq: --n-best: more than --beam \(found 4, needed 1 to 3\)'
for option in '--n-best 2' '--length-penalty gnmt' '--alpha 1' '--min-length 2' '--max-length 2' --retire --prune-by-score; do
  expect 2 "$CUSEQ" translate text.safetensors abc $option
  err_has "^cuseq: ${option%% *}: goes with --beam"
done
expect 2 "$CUSEQ" translate text.safetensors abc --beam 2 --length-penalty long
err_has '^cuseq: --length-penalty: there is no such \(found "long", needed none, length or gnmt\)'
expect 2 "$CUSEQ" translate text.safetensors abc --beam 2 --alpha 0.5
err_has '^cuseq: --alpha: goes with --length-penalty'
expect 2 "$CUSEQ" translate text.safetensors abc --beam 2 --length-penalty gnmt --alpha 11
err_has '^cuseq: --alpha: too large'
expect 2 "$CUSEQ" translate "$DATES" '3 May 1979' --beam 5 --n-best 3
err_has '^cuseq: cuseq_beam_search: the model feeds no tokens back \(beam search needs feedback'
expect 2 "$CUSEQ" run attention.safetensors dense.npy --beam 2
err_has 'the model has no decoder'
expect 2 "$CUSEQ" run forward.safetensors dense.npy --beam 2
err_has 'the model feeds no tokens back'

# --targets: the model follows given tokens, up to the end or the first negative one.
for device in reference cpu; do
  expect 0 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy -o out.npz --device $device
  out_has '^  row 0: log-probability -[0-9.]+ of 3 tokens, perplexity [0-9.]+$'
  out_has '^  row 1: log-probability -[0-9.]+ of 1 tokens'
  out_has '^  row 2: log-probability -[0-9.]+ of 4 tokens'
  # They are the logarithms of the outputs at those tokens.
  "$HELPERS/cli_arrays" out.npz outputs | awk '{printf NR % 4 ? $1 " " : $1 "\n"}' >outputs
  "$HELPERS/cli_arrays" out.npz log_probabilities >logs
  printf '%s\n' 0 1 3 - 2 - - - 1 1 1 1 | paste - outputs logs |
    awk '$1 == "-" ? $NF != 0 : (log($($1 + 2)) - $NF)^2 > 1e-10 {exit 1}' || wrong "log-probabilities should be those of the targets"
done
expect 0 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy --json
is_json rows 0 log_probability
is_json rows 2 log_probabilities 3
# A model that follows given tokens only, needs them: or a search, which has its own.
expect 0 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy
out_has '^  row 0: log-probability -[0-9.]+ of 3 tokens, '
expect 0 "$CUSEQ" run given.safetensors wide.npy --beam 2
expect 2 "$CUSEQ" run given.safetensors wide.npy
err_has '^cuseq: given.safetensors: the model follows given tokens \(needed --targets TOKENS.npy\)$'
out_is ''
expect 2 "$CUSEQ" compare given.safetensors wide.npy
err_has 'needed --targets TOKENS.npy'
expect 0 "$CUSEQ" compare given.safetensors wide.npy --targets targets.npy
expect 2 "$CUSEQ" translate given.safetensors abc
err_has '^cuseq: given.safetensors: the model follows given tokens \(needed translate --beam K, which searches for them, or score\)$'
expect 0 "$CUSEQ" translate given.safetensors abc --beam 2
printf 'abc\txy\n' >pairs.tsv
expect 0 "$CUSEQ" score given.safetensors pairs.tsv
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy --beam 2
err_has '^cuseq: --targets: goes without --beam'
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy --steps 2
err_has '^cuseq: targets.npy: longer than --steps \(found 4 tokens in a row, needed at most 2\)$'
expect 0 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy --steps 4 -o same.npz --device cpu
same same.npz out.npz
expect 0 "$CUSEQ" run text.safetensors wide.npy --targets targets.npy --steps 6 -o more.npz --device cpu
"$HELPERS/cli_arrays" more.npz log_probabilities | awk '(NR - 1) % 6 < 4' >more
"$HELPERS/cli_arrays" out.npz log_probabilities >logs
same more logs
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets targets_few.npy
err_has '^cuseq: targets_few.npy: does not fit the input \(found int32 of rank 2 and 2 rows, needed integers \[3,Y\]\)'
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets dense.npy
err_has '^cuseq: dense.npy: does not fit the input'
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets targets_large.npy
err_has '^cuseq: targets_large.npy: the token at \[1,1\] is out of range \(found 4, needed 0 to 3'
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets targets_none.npy
err_has '^cuseq: targets_none.npy: row 1 has no tokens'
expect 2 "$CUSEQ" run forward.safetensors dense.npy --targets targets.npy
err_has '^cuseq: --targets: the model reads no tokens and gives no probabilities of them'
expect 2 "$CUSEQ" run attention.safetensors dense.npy --targets targets.npy
err_has '^cuseq: --targets: the model has no decoder$'
# The token before the first step, by its number or its symbol.
expect 0 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy -o own.npz --device cpu
expect 0 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy --start-token 0 -o out.npz --device cpu
same own.npz out.npz
expect 0 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy --start-token 1 -o number.npz --device cpu
differ own.npz number.npz
expect 0 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy --start-token y -o symbol.npz --device cpu
same number.npz symbol.npz
expect 0 "$CUSEQ" compare given.safetensors wide.npy --targets targets.npy --start-token 1
expect 0 "$CUSEQ" run text.safetensors wide.npy --beam 2 -o own.npz
expect 0 "$CUSEQ" run text.safetensors wide.npy --beam 2 --start-token 1 -o out.npz
differ own.npz out.npz
expect 2 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy --start-token 4
err_has '^cuseq: --start-token: out of range \(found 4, needed 0 to 3\)$'
expect 2 "$CUSEQ" run given.safetensors wide.npy --targets targets.npy --start-token qq
err_has "^cuseq: --start-token: no symbol of the model's vocabulary, and no number \\(found \"qq\"\\)$"
expect 2 "$CUSEQ" run forward.safetensors dense.npy --start-token 1
err_has '^cuseq: --start-token: the model has no decoder that reads its tokens$'
expect 2 "$CUSEQ" run text.safetensors wide.npy --targets out.npz -o out.npz
err_has 'out.npz'
finish

# The model that reads its own output, of examples/dates.
expect 0 "$CUSEQ" translate "$ROOT/models/dates_feedback.safetensors" "3 may 19799" --beam 5 --n-best 3 --scores
cut -f 1 out | paste -sd ' ' | grep -qx '1799-05-03 1999-05-03 1599-05-03' || wrong "three other dates were expected"
expect 0 "$CUSEQ" translate "$ROOT/models/dates_feedback.safetensors" "3 May 1979" "sat 21 Jan, 2012"
out_is '1979-05-03
2012-01-21'
finish
