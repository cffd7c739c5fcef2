# What a terminal shows: heat maps that fit its width and its colours.
. "$(dirname "$0")/lib.sh"
files
terminal=$HELPERS/cli_terminal
need_terminal
block='[░▒▓█]'

expect 0 "$terminal" "$CUSEQ" translate text.safetensors 'a bc' abc
out_has '^a bc → [xyz]'
out_has 'characters in →'
out_has '^out ↓ a ␣ b c'
out_has "^    [xyz] .*$block"
out_has '^weight 0 .* 0\.5'
out_lacks $'\033'
[ "$(grep -c '^out ↓' out)" = 2 ] || wrong "two heat maps were expected"

# Not a terminal: no heat map. JSON: none either.
expect 0 "$CUSEQ" translate text.safetensors 'a bc'
out_lacks "$block|weight"
run "$terminal" "$CUSEQ" translate text.safetensors 'a bc' --json
out_lacks "$block|weight"
tr -d '\r' <out >plain && mv plain out
json_is 'a bc' 0 input

# A search: a heat map of the best; of several results, and without attention, none.
expect 0 "$terminal" "$CUSEQ" translate text.safetensors 'a bc' --beam 3
[ "$(grep -c '^out ↓' out)" = 1 ] || wrong "one heat map was expected"
expect 0 "$terminal" "$CUSEQ" translate text.safetensors 'a bc' --beam 3 --n-best 2
out_lacks "$block|weight"
[ "$(wc -l <out)" = 2 ] || wrong "two lines were expected"
expect 0 "$terminal" "$CUSEQ" translate plain.safetensors 'a bc'
out_lacks "$block|weight"
expect 0 "$terminal" "$CUSEQ" run text.safetensors wide.npy --beam 3
[ "$(grep -c '^out ↓' out)" = 3 ] || wrong "three heat maps were expected"
expect 0 "$terminal" "$CUSEQ" run plain.safetensors wide.npy
out_lacks "$block|weight"

# Colours.
expect 0 env TERM=xterm-256color "$terminal" "$CUSEQ" translate text.safetensors abc
out_has $'\033\\[48;5;[0-9]+m  '
expect 0 env TERM=xterm COLORTERM=truecolor "$terminal" "$CUSEQ" translate text.safetensors abc
out_has $'\033\\[48;2;[0-9]+;[0-9]+;[0-9]+m  '
expect 0 env TERM=xterm-256color NO_COLOR=1 "$terminal" "$CUSEQ" translate text.safetensors abc
out_lacks $'\033'
expect 0 env TERM=xterm-256color NO_COLOR= "$terminal" "$CUSEQ" translate text.safetensors abc
out_has $'\033'
expect 0 env TERM=dumb COLORTERM=truecolor "$terminal" "$CUSEQ" translate text.safetensors abc
out_lacks $'\033'
expect 0 env LC_ALL=C "$terminal" "$CUSEQ" translate text.safetensors 'a bc'
out_has '^out v a _ b c'
LC_ALL=C grep -q '[^ -~[:space:]]' out && wrong "ASCII was expected"

# Every width holds.
for width in 20 33 40 80 200; do
  expect 0 "$terminal" -w $width "$CUSEQ" run small.safetensors dense.npy
  longest=$(tr -d '\r' <out | grep -E "$block|weights|positions →" | wc -L)
  [ "$longest" -le $width ] || wrong "lines of at most $width columns were expected, one has $longest"
done

# run: the first 8 rows; without symbols numbers.
expect 0 "$terminal" "$CUSEQ" run small.safetensors many.npy
[ "$(grep -c '^row [0-9]' out)" = 8 ] || wrong "eight heat maps were expected"
out_has '^steps ↓ 0 1 2 3 4'
expect 0 "$terminal" "$CUSEQ" run attention.safetensors dense.npy
out_has '^weights ↓ 0 1 2 3 4'

# A long list of texts: heat maps for the first, lines for the others, in their order.
for i in $(seq 25); do echo abc; done >lines
expect 0 "$terminal" sh -c "'$CUSEQ' translate text.safetensors - <lines"
[ "$(grep -c '^out ↓' out)" = 20 ] || wrong "twenty heat maps were expected"
[ "$(tr -d '\r' <out | tail -5 | grep -c '^[xyz]*$')" = 5 ] || wrong "five lines were expected at the end"

# evaluate shows a bar on stderr, and none where that is no terminal.
for i in $(seq 200); do printf 'abc\txyz\n'; done >pairs.tsv
expect 0 "$terminal" "$CUSEQ" evaluate text.safetensors pairs.tsv
out_has '\[#+\] 100% 200 of 200'
expect 0 "$terminal" sh -c "'$CUSEQ' evaluate text.safetensors pairs.tsv 2>bar"
[ ! -s bar ] || wrong "no bar was expected"
finish
