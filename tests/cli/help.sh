# Help, usage errors, and that help, man page and completion tell of the same options.
. "$(dirname "$0")/lib.sh"

expect 0 "$CUSEQ" --help
for command in run translate classify tag compare evaluate score convert inspect info bench devices; do
  out_has "^  $command +[a-z]"
done
cp out help
expect 0 "$CUSEQ" -h
same out help
expect 0 "$CUSEQ" help
same out help
expect 0 "$CUSEQ" --version
out_has '^cuseq [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 "$CUSEQ" -V
out_has '^cuseq [0-9]'

# options COMMAND: the long options that its help lists.
options() { "$CUSEQ" "$1" --help | grep -Eo '^  (-., )? *--[a-z-]+' | grep -Eo -- '--[a-z-]+'; }

# man_section COMMAND: its part of the man page.
man_section() { awk -v start=".Ss cuseq $1" 'index($0, ".S") == 1 {on = index($0 " ", start " ") == 1} on' "$ROOT/docs/cuseq.1"; }

for command in run translate classify tag compare evaluate score convert inspect info bench devices; do
  expect 0 "$CUSEQ" $command --help
  out_has "^usage: cuseq $command"
  out_has '^example:$'
  silent
  cp out help
  expect 0 "$CUSEQ" $command -h
  same out help
  expect 0 "$CUSEQ" help $command
  same out help
  grep -E '^  (-., |    )--' help | grep -vE 'default|needed|--help' >out && wrong "$command: options without a default"
  listed=$(options $command | sort | tr '\n' ' ')
  completed=$(bash -c ". '$ROOT/completion/cuseq.bash'; _cuseq_options $command" | tr ' ' '\n' | sort | tr '\n' ' ')
  [ "$listed" = "$completed" ] || wrong "$command: help has $listed, completion has $completed"
  for option in $(options $command); do
    [ "$option" = --help ] || man_section $command | sed 's/\\-/-/g' | grep -q -- "-${option#--}" ||
      wrong "$command: the man page's section lacks $option"
  done
done

expect 2 "$CUSEQ"
err_has 'no command .*--help'
expect 2 "$CUSEQ" trnslate
err_has 'trnslate: unknown command \(did you mean translate\?\)'
expect 2 "$CUSEQ" eval
err_has 'did you mean evaluate'
expect 2 "$CUSEQ" nonsense
err_has 'nonsense: unknown command \(see cuseq --help\)'
expect 2 "$CUSEQ" help nonsense
expect 2 "$CUSEQ" --nonsense
err_has '--nonsense: unknown option'
expect 2 "$CUSEQ" run model input --devcie cpu
err_has '--devcie: unknown option \(did you mean --device\?\)'
expect 2 "$CUSEQ" run model input --truncate
err_has '--truncate: unknown option'
expect 2 "$CUSEQ" run model input -x
err_has '-x: unknown option'
expect 2 "$CUSEQ" run model input --json=yes
err_has '--json: takes no value'
expect 2 "$CUSEQ" run model input --device
err_has '--device: needs a value'
expect 2 "$CUSEQ" run model input -o
err_has '--output: needs a value'
expect 2 "$CUSEQ" run model input --device ''
err_has '--device: empty value'
expect 2 "$CUSEQ" evaluate model pairs --t
err_has '--t: could be more than one option'
expect 2 "$CUSEQ" run model input --precision half
err_has '--precision: there is no such precision \(found "half", needed float32, tf32 or bf16\)'
expect 2 "$CUSEQ" run model
err_has 'run: too few arguments \(found 1, needed MODEL INPUT.npy\)'
expect 2 "$CUSEQ" run model input third
err_has 'run: too many arguments \(found "third"'
expect 2 "$CUSEQ" devices some
err_has 'devices: too many arguments \(found "some", needed none\)'
expect 2 "$CUSEQ" translate model
err_has 'translate: too few'
for number in 0 -1 x 1x 1.5 '' 99999999999; do
  expect 2 "$CUSEQ" run model input --steps "$number"
  err_has '--steps: not a whole number that fits'
done
for number in 0 -1 x nan inf '' 1e; do
  expect 2 "$CUSEQ" compare model input --tolerance "$number"
  err_has '--tolerance: not a positive number'
done
expect 2 "$CUSEQ" evaluate model pairs --show-wrong -1
err_has '--show-wrong: not a whole number that fits \(found "-1", needed 0 to 2147483647\)'
expect 2 "$CUSEQ" $'bad\nname\e[31m'
err_has '^cuseq: bad\?name\?\[31m: unknown command'

if command -v mandoc >/dev/null; then
  expect 0 mandoc -Tlint "$ROOT/docs/cuseq.1"
  out_is ''
else
  echo 'mandoc is not there: the man page is not linted'
fi

# Completion, as bash would call it.
complete_words() {
  bash -c ". '$ROOT/completion/cuseq.bash'; PATH=\"\$(dirname '$CUSEQ'):\$PATH\"; COMP_WORDS=(\"\$@\")
    COMP_CWORD=\$((\$# - 1)); _cuseq; printf '%s\n' \"\${COMPREPLY[@]}\"" bash "$@"
}
touch a.npy b.svg c.safetensors
run complete_words cuseq tr
out_is translate
run complete_words cuseq run c.safetensors a
out_is a.npy
run complete_words cuseq run --device ref
out_has '^reference$'
run complete_words cuseq run --precision b
out_is bf16
run complete_words cuseq translate c.safetensors text --pl
out_is --plot
run complete_words cuseq translate c.safetensors text --plot b
out_is b.svg
touch d.npz
run complete_words cuseq run --steps 3 c.safetensors a
out_is a.npy
run complete_words cuseq compare --tolerance 1e-6 c.safetensors a.npy --with d
out_is d.npz
run complete_words cuseq info ''
out_is c.safetensors
finish
