# Under limits (ulimit) the program does its work, or says in a line which limit leaves too little; it neither
# dies without a word nor hangs. Limits that are set already are never raised.
. "$(dirname "$0")/lib.sh"
files
keras=$ROOT/examples/dates/dates.keras
words=$ROOT/examples/dates/vocabulary.json

# limited OPTION VALUE COMMAND...: runs it under a limit, as `run` does. Its stderr is a pipe, not a file, which
# the limit of a file's size would cut.
limited() {
  local option=$1 value=$2
  shift 2
  COMMAND="$* under ulimit $option $value"
  rm -f out.safetensors out.png out.npz
  local said
  said=$( (ulimit "$option" "$value" && exec "$@") 2>&1 >/dev/null </dev/null)
  STATUS=$?
  printf '%s\n' "$said" >err
}

# Done, or a line that names the limit; or the loader could not even start the program.
said_or_done() {
  case $STATUS in
  0) ;;
  2 | 3)
    [ "$(wc -l <err)" = 1 ] && grep -Eq "^cuseq: .*\(ulimit $1\) is [0-9]+" err ||
      wrong "one line with the limit of ulimit $1 was expected"
    ;;
  127) grep -Eq 'shared object|TLS|loading' err || wrong "the loader should have said why" ;;
  *) wrong "an exit status of 0, 2, 3 or the loader's 127 was expected" ;;
  esac
}

convert() { limited "$@" "$CUSEQ" convert "$keras" out.safetensors --vocabulary "$words"; }
converted() {
  [ "$STATUS" = 0 ] || wrong "it should convert under this limit"
  same out.safetensors "$DATES"
}

# A sanitizer reserves terabytes of addresses: then there is no limit of them to try.
addresses=
if (ulimit -v 4000000 && "$CUSEQ" --version) >/dev/null 2>&1; then
  addresses=1
else
  echo 'limits of memory are not tried: this program does not start under ulimit -v 4000000 (a sanitizer)'
fi

# Limits that lie below those which cuseq-hdf5 sets itself, and leave enough.
[ -z "$addresses" ] || for value in 200000 240000; do
  convert -v $value
  converted
done
for value in 1 2; do
  convert -t $value
  converted
done

# CPU time of the program itself. A hard limit is the kernel's to enforce, which says nothing.
for i in 1 2 3; do printf 'ab\txyz\n'; done >slow.tsv
COMMAND="$CUSEQ evaluate slow.tsv under ulimit -S -t 1"
(ulimit -S -t 1 && exec "$CUSEQ" evaluate slow.safetensors slow.tsv --device reference) >out 2>err
STATUS=$?
[ "$STATUS" = 152 ] || wrong "exit status 152 was expected"
err_has '^cuseq: the limit of CPU time \(ulimit -t\) is 1 s$'

# Memory that does not suffice, from where the loader fails to where all is well.
if [ -n "$addresses" ]; then
  refused=0
  for value in 6000 $(seq 9000 1000 14000) $(seq 16000 2000 30000) 48000 64000 96000; do
    convert -v $value
    said_or_done -v
    [ "$STATUS" != 0 ] || converted
    [ "$STATUS" != 3 ] || refused=$((refused + 1))
    [ ! -e out.safetensors ] || [ "$STATUS" = 0 ] || wrong "no file should be left"
  done
  [ $refused -gt 0 ] || wrong "some of these limits should be too low"
  COMMAND="$CUSEQ convert under ulimit -v"
  for value in 300 1000 2000 4000; do
    convert -d $value
    said_or_done -d
  done
  for value in $(seq 9000 250 13000); do
    limited -v $value "$CUSEQ" translate text.safetensors abc --plot out.png
    said_or_done -v
    limited -v $value "$CUSEQ" run small.safetensors many.npy -o out.npz
    said_or_done -v
    limited -v $value "$CUSEQ" info small.safetensors
    said_or_done -v
  done
fi

# The stack. Below what a process starts with there is no program that could say anything.
for value in 128 256 512; do
  convert -s $value
  [ "$STATUS" = 3 ] || wrong "exit status 3 was expected"
  said_or_done -s
done
convert -s 1024
converted

# Open files.
for value in 4 5 6 7 8 9; do
  convert -n $value
  said_or_done -n
done
convert -n 16
converted
limited -n 4 "$CUSEQ" run small.safetensors dense.npy -o out.npz
said_or_done -n

# The size of a file: of the model that is written, and of the memory file that the weights are unpacked to.
for value in 0 1 100 200; do
  convert -f $value
  [ "$STATUS" = 2 ] || wrong "exit status 2 was expected"
  said_or_done -f
  absent out.safetensors
done
limited -f 1 "$CUSEQ" run small.safetensors dense.npy -o out.npz
[ "$STATUS" = 2 ] || wrong "exit status 2 was expected"
said_or_done -f
finish
