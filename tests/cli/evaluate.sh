# cuseq evaluate: pairs, and what is wrong with them.
. "$(dirname "$0")/lib.sh"
files
model=text.safetensors
first=$("$CUSEQ" translate $model abc)
second=$("$CUSEQ" translate $model c)

printf 'abc\t%s\nc\t%s\n\nabc\tno\n' "$first" "$second" >pairs.tsv
expect 0 "$CUSEQ" evaluate $model pairs.tsv
out_has '^66\.67% exactly right: 2 of 3, on '
silent
printf '\xef\xbb\xbfabc\t%s\r\n\r\nc\t%s\r\nabc\tno' "$first" "$second" >windows.tsv
for batch in 1 2 1000; do
  expect 0 "$CUSEQ" evaluate $model windows.tsv --batch $batch
  out_has '^66\.67% exactly right: 2 of 3, on '
done
expect 0 "$CUSEQ" evaluate $model pairs.tsv --show-wrong 5
out_has "^abc	$first	wanted no$"
[ "$(wc -l <out)" = 2 ] || wrong "two lines were expected"
printf 'abc\tno\nabc\tno\nabc\tno\n' >wrong.tsv
expect 0 "$CUSEQ" evaluate $model wrong.tsv --show-wrong 2
out_has '^0\.00% exactly right: 0 of 3'
[ "$(wc -l <out)" = 3 ] || wrong "three lines were expected"
expect 0 "$CUSEQ" evaluate $model wrong.tsv --show-wrong 2 --json
json_is 0 right
json_is 3 pairs
json_is no wrong 1 wanted
json_is "$first" wrong 0 output
expect 0 "$CUSEQ" evaluate $model wrong.tsv --json
json_is '[]' wrong

# bad CONTENT PATTERN
bad() {
  printf "$1" >bad.tsv
  expect 2 "$CUSEQ" evaluate $model bad.tsv
  err_has "^cuseq: bad.tsv: $2"
  out_is ''
}
bad '' 'empty'
bad '\n\n' 'empty'
bad 'abc\tx\nabc\n' 'line 2: not a pair \(found no tab'
bad 'abc\tx\ty\n' 'line 1: not a pair \(found more than one tab'
bad 'abc\tx\n\nabd\tx\n' 'line 3: .*d'
bad 'abcabca\tx\n' 'line 1: too long .*--truncate'
bad 'abc\tx\nab\000c\tx\n' 'line 2: not a text \(found a zero byte'
bad '\xff\xfea\0\t\0' 'UTF-16 \(needed UTF-8'
bad '\xef\xbb\xbf' 'empty'
bad '\tx\n' 'line 1: empty'
bad '\377\tx\n' 'line 1: .*UTF-8'
printf 'abcabca\tx\n' >long.tsv
expect 0 "$CUSEQ" evaluate $model long.tsv --truncate
expect 2 "$CUSEQ" evaluate $model missing.tsv
err_has '^cuseq: missing.tsv: .*No such file'
expect 2 "$CUSEQ" evaluate $model .
expect 2 "$CUSEQ" evaluate small.safetensors pairs.tsv
err_has 'small.safetensors: the model has no vocabulary'
expect 2 "$CUSEQ" evaluate $model pairs.tsv --device nothing
finish
