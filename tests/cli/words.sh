# Vocabularies of words: every command that reads or writes texts.
. "$(dirname "$0")/lib.sh"
files

# A decoder that writes words, with a space between them, of letters.
expect 0 "$CUSEQ" translate speech.safetensors 'ab c' --scores --json
json_is '[2,1,1,1,1]' 0 tokens
json_is 'ZH B B B B' 0 output
is_json 0 score
score=$(cat value)
printf 'ab c\tZH B  B B B\n' >pairs.tsv
expect 0 "$CUSEQ" run speech.safetensors letters.npy
out_has '^  row 0: ZH B B B B$'

# A given output is read as words; what is between them does not matter.
expect 0 "$CUSEQ" score speech.safetensors pairs.tsv --json
is_json pairs 0 log_probabilities 5
is_json pairs 0 log_probability
printf 'ab c\tZH B B B B\n' >pairs.tsv
expect 0 "$CUSEQ" evaluate speech.safetensors pairs.tsv
out_has '^100.00% exactly right: 1 of 1, '
printf 'ab c\tZH ZHZH\n' >pairs.tsv
expect 2 "$CUSEQ" score speech.safetensors pairs.tsv
err_has '^cuseq: pairs.tsv: line 1: the second text: word 1 is not in the output vocabulary \(found "ZHZH"'

# Labels of pictures are the words; the axes say so.
expect 0 "$CUSEQ" translate speech.safetensors 'ab c' --plot out.svg
for label in a b c ZH B 'characters in' 'words out'; do
  grep -q ">$label</text>" out.svg || wrong "out.svg should have the label $label"
done

expect 0 "$CUSEQ" info words.safetensors
out_has '^texts      of up to 6 words$'
out_has '^labels     of pos 3: DET NOUN VERB$'
out_has '^labels     of number 2: singular plural$'
out_lacks '^out '
expect 0 "$CUSEQ" info classes.safetensors
out_has "^labels     3: no per haps ''$"
finish
