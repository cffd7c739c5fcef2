# Ctrl-C: status 130, how far it came, no files left; the same of SIGTERM.
. "$(dirname "$0")/lib.sh"
files
terminal=$HELPERS/cli_terminal

# Until the process that was started has printed something, or is gone.
wait_for_output() {
  while [ ! -s out ] && kill -0 $process 2>/dev/null; do sleep 0.05; done
}

# SIGTERM, and a SIGINT that the caller ignores.
mkfifo lines
"$CUSEQ" translate text.safetensors - <lines >out 2>err &
process=$!
exec 3>lines
echo abc >&3
wait_for_output
kill -TERM $process
wait $process
STATUS=$? COMMAND='translate - ended by SIGTERM'
exec 3>&-
[ $STATUS = 143 ] || wrong "exit status 143 was expected"
"$CUSEQ" translate text.safetensors - <lines >out 2>err &
process=$!
exec 3>lines
echo abc >&3
wait_for_output
kill -INT $process # ignored, as the shell starts background commands
echo abc >&3
exec 3>&-
wait $process
STATUS=$? COMMAND='translate - with SIGINT ignored'
[ $STATUS = 0 ] && [ "$(wc -l <out)" = 2 ] || wrong "both lines were expected"

need_terminal
for i in $(seq 200000); do printf 'abc\txyz\n'; done >pairs.tsv

expect 130 "$terminal" -k '% ' "$CUSEQ" evaluate text.safetensors pairs.tsv --device reference --batch 1
out_has 'cuseq: interrupted: [0-9]+ of 200000 pairs done, [0-9]+ exactly right'
out_lacks '^cuseq: interrupted: 200000 of'
[ "$(grep -c interrupted out)" = 1 ] || wrong "one message was expected"

# What it printed by then is whole JSON.
expect 130 "$terminal" -k '% ' "$CUSEQ" evaluate text.safetensors pairs.tsv --device reference --batch 1 --json
out_has '^  "wrong": \['
out_has '^}'
out_lacks '"right"'

# In the middle of a batch that takes long.
for i in 1 2 3; do printf 'ab\txyz\n'; done >slow.tsv
expect 130 "$terminal" -b "$CUSEQ" evaluate slow.safetensors slow.tsv --device reference
out_has 'cuseq: interrupted: none of 3 pairs done'
[ "$(grep -c interrupted out)" = 1 ] || wrong "one message was expected"
expect 130 "$terminal" -b "$CUSEQ" translate slow.safetensors ab ab --device reference --plot slow.svg
out_has 'cuseq: interrupted'
absent slow.svg

# While it waits for a line.
expect 130 "$terminal" -k weight sh -c "{ echo abc; sleep 100; } | '$CUSEQ' translate text.safetensors -"
out_has 'cuseq: interrupted'
finish
