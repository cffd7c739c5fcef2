# cuseq translate: texts as arguments and as lines.
. "$(dirname "$0")/lib.sh"
files
model=text.safetensors

expect 0 "$CUSEQ" translate $model abc 'a b' c
silent
[ "$(wc -l <out)" = 3 ] || wrong "three lines were expected"
! grep -q '[^xyz]' out || wrong "the output should be of x, y and z"
cp out three

# Lines give what arguments give, however they end and whatever the batches are.
COMMAND='translate - of three lines'
printf 'abc\na b\nc\n' | "$CUSEQ" translate $model - >out 2>err
same out three
printf 'abc\r\na b\r\nc' | "$CUSEQ" translate $model - >out 2>err
same out three
{ printf 'abc\n'; sleep 0.2; printf 'a b'; sleep 0.2; printf '\nc\n'; } | \
  "$CUSEQ" translate $model - >out 2>err
same out three
for i in $(seq 300); do printf 'abc\na b\nc\n'; done >lines
for i in $(seq 300); do cat three; done >wanted
COMMAND='translate - of 900 lines'
"$CUSEQ" translate $model - <lines >out 2>err
same out wanted

# Lines come out as they come in: the first before the second is written.
COMMAND='translate - through a pair of pipes'
mkfifo to from
"$CUSEQ" translate $model - <to >from &
exec 3>to 4<from
echo abc >&3
read -r -t 60 first <&4
echo 'a b' >&3
read -r -t 60 second <&4
exec 3>&- 4<&-
wait
[ "$first" = "$(sed -n 1p three)" ] && [ "$second" = "$(sed -n 2p three)" ] || wrong "each line should answer at once"

# Empty texts give empty lines; nothing gives nothing.
COMMAND='translate with empty texts'
printf 'abc\n\n\r\nc\n' | "$CUSEQ" translate $model - >out 2>err
[ "$(sed -n 2,3p out)" = '' ] && [ "$(wc -l <out)" = 4 ] || wrong "empty lines should stay in step"
printf '' | "$CUSEQ" translate $model - >out 2>err
out_is ''
expect 0 "$CUSEQ" translate $model '' abc
[ "$(wc -l <out)" = 2 ] || wrong "two lines were expected"
expect 0 "$CUSEQ" translate $model -- abc
expect 2 "$CUSEQ" translate $model -abc
err_has 'goes after --'

# Standard input may begin with a byte order mark, and may be nothing else; it comes in pieces.
COMMAND='translate - behind a byte order mark'
printf '\xef\xbb\xbfabc\r\na b\r\nc\r\n' | "$CUSEQ" translate $model - >out 2>err
same out three
{ printf '\xef\xbb'; sleep 0.1; printf '\xbfab'; sleep 0.1; printf 'c\na b\nc'; } | \
  "$CUSEQ" translate $model - >out 2>err
same out three
printf '\xef\xbb\xbf' | "$CUSEQ" translate $model - >out 2>err
out_is ''
silent
printf '\xef\xbb\xbf\n' | "$CUSEQ" translate $model - >out 2>err
[ "$(wc -l <out)" = 1 ] || wrong "one empty line was expected"
COMMAND='translate - with a mark on the second line'
printf 'abc\n\xef\xbb\xbfabc\n' | "$CUSEQ" translate $model - >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 2: '
for encoding in '\xff\xfea\0b\0c\0\n\0' '\xfe\xff\0a\0b\0c\0\n' '\xff\xfea\0'; do
  COMMAND="translate - of $encoding"
  printf "$encoding" | "$CUSEQ" translate $model - >out 2>err
  [ $? = 2 ] || wrong "exit status 2 was expected"
  err_has '^cuseq: stdin: line 1: UTF-16 \(needed UTF-8'
  out_is ''
done

# Scores: logarithms of probabilities.
expect 0 "$CUSEQ" translate $model --scores abc 'a b' ''
awk -F '\t' 'NF != 2 || $2 > 0 {exit 1}' out || wrong "each line should be text, tab, score <= 0"
cut -f 1 out | head -2 >texts
head -2 three >wanted
same texts wanted
expect 0 "$CUSEQ" translate $model --scores --json abc
awk "BEGIN {exit !($(is_json 0 score; cat value) <= 0)}" || wrong "the score should not be above 0"

# JSON.
expect 0 "$CUSEQ" translate $model --json abc '' $'b'
json_is abc 0 input
json_is "$(sed -n 1p three)" 0 output
json_is '' 1 output
json_is '[]' 1 tokens
is_json 2 tokens 0
COMMAND='translate --json of nothing'
printf '' | "$CUSEQ" translate $model - --json >out 2>err
out_is '[]'
is_json

# What a text may not be. Those before it are printed.
expect 2 "$CUSEQ" translate $model abc 'abc abc' c
err_has '^cuseq: text 2: too long \(found 7 characters, .*6\); --truncate'
[ "$(cat out)" = "$(sed -n 1p three)" ] || wrong "the text before should be printed"
expect 0 "$CUSEQ" translate $model --truncate abc 'abc abc' c
[ "$(wc -l <out)" = 3 ] || wrong "three lines were expected"
"$CUSEQ" translate $model 'abc ab' >want
sed -n 2p out >got
same got want
expect 2 "$CUSEQ" translate $model abd
err_has '^cuseq: text 1: .*"?d'
expect 2 "$CUSEQ" translate $model abc $'\xff'
err_has '^cuseq: text 2: .*UTF-8'
COMMAND='translate - with a bad third line'
printf 'abc\nc\nabd\nc\n' | "$CUSEQ" translate $model - >out 2>err
STATUS=$?
[ $STATUS = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 3: '
[ "$(wc -l <out)" = 2 ] || wrong "the lines before should be printed"
COMMAND='translate - --json with a bad third line'
printf 'abc\nc\nabd\nc\n' | "$CUSEQ" translate $model - --json >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 3: '
json_is c 1 input
expect 2 "$CUSEQ" translate $model --json abd
out_is '[]'
COMMAND='translate - with a zero byte'
printf 'abc\nc\0\n' | "$CUSEQ" translate $model - >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 2: .*zero byte'
COMMAND='translate - without an end of line'
head -c 3000000 /dev/zero | tr '\0' a | "$CUSEQ" translate $model - --truncate >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: line 1: too long'
COMMAND='translate - with stdin closed'
"$CUSEQ" translate $model - <&- >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: cannot be read'
COMMAND='translate - from a folder'
"$CUSEQ" translate $model - <"$FOLDER" >out 2>err
[ $? = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdin: cannot be read'

# Models that cannot translate.
expect 2 "$CUSEQ" translate small.safetensors abc
err_has '^cuseq: small.safetensors: the model has no vocabulary'
expect 2 "$CUSEQ" translate attention.safetensors abc
expect 2 "$CUSEQ" translate $model abc --device nothing
err_has '^cuseq: .*nothing'

# A picture; its labels are the texts'.
expect 0 "$CUSEQ" translate $model 'a b' --plot out.svg
for label in a b y; do
  grep -q ">$label</text>" out.svg || wrong "out.svg should have the label $label"
done
grep -q 'a b →' out.svg || wrong "out.svg should have a title"
for i in $(seq 70); do echo abc; done >lines
COMMAND='translate - --plot of 70 lines'
"$CUSEQ" translate $model - --plot many.png <lines >out 2>err || wrong "status 0 was expected"
err_has 'many.png: holds the first 64 of 70'
expect 0 "$CUSEQ" translate $model '' --plot none.svg
err_has 'none.svg: not written \(there is nothing to draw\)'

# The dates.
expect 0 "$CUSEQ" translate "$DATES" '3 May 1979' 'sat 21 Jan, 2012'
out_is '1979-05-03
2012-01-21'
finish
