# Output files appear whole or not at all; what cannot be printed is an error.
. "$(dirname "$0")/lib.sh"
files
mkdir folder locked
printf old >locked/old.npz
chmod 555 locked
humble=
if [ "$(id -u)" = 0 ] && setpriv --bounding-set=-dac_override,-dac_read_search true 2>/dev/null; then
  humble="setpriv --bounding-set=-dac_override,-dac_read_search"
fi

for name in out.npz out.svg out.png; do
  option=--plot
  [ $name = out.npz ] && option=-o
  run="$CUSEQ run small.safetensors dense.npy $option"
  expect 2 $run missing/$name
  err_has "^cuseq: missing/$name: .*No such file"
  expect 2 $run dense.npy/$name
  expect 2 $run a/$(printf 'x%.0s' $(seq 300))$name
  printf old >folder/$name
  chmod 444 folder/$name
  if [ "$(id -u)" != 0 ] || [ -n "$humble" ]; then
    expect 2 $humble $run locked/new_$name
    err_has "^cuseq: locked/new_$name: .*(Permission denied|write)"
    entries locked 1
  else
    echo 'a read-only folder cannot be tested as root without setpriv'
  fi
  chmod 644 folder/$name
  # A disk that fills: here a file may grow to one block only.
  COMMAND="$run folder/$name under ulimit -f"
  (ulimit -f 1 && $run folder/$name) >out 2>err
  STATUS=$?
  [ $STATUS = 2 ] || wrong "exit status 2 was expected"
  err_has "^cuseq: folder/$name: "
  [ "$(cat folder/$name)" = old ] || wrong "the old file should be untouched"
  rm folder/$name
  entries folder 0
done
# Large enough for every limit.
printf old >folder/many.npz
(ulimit -f 20 && "$CUSEQ" run small.safetensors many.npy -o folder/many.npz) >out 2>err
STATUS=$? COMMAND='run many.npy under ulimit -f'
[ $STATUS = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: folder/many.npz: .*File too large; the limit of the size of a file \(ulimit -f\) is 20 KB'
[ "$(cat folder/many.npz)" = old ] || wrong "the old file should be untouched"
entries folder 1

# What --json prints is one JSON value also where the file cannot be written; only a whole run names it.
for option in '-o missing/out.npz' '--plot missing/out.svg'; do
  expect 2 "$CUSEQ" run small.safetensors dense.npy --json $option
  is_json rows 2 tokens 0
  out_lacks '"output"'
done

# What the command reads, or writes elsewhere, is not written over, under no name.
cp dense.npy own.npy
cp small.safetensors own.safetensors
ln -s own.npy link.npz
for option in '-o own.npy' '-o link.npz' '-o own.safetensors' '-o new.svg --plot new.svg'; do
  expect 2 "$CUSEQ" run own.safetensors own.npy $option
  err_has '^cuseq: (own|link|new)\.[a-z]+: cannot be written \(the command uses this file already'
done
expect 2 "$CUSEQ" convert own.safetensors ./own.safetensors --config config.json
err_has '^cuseq: ./own.safetensors: cannot be written'
same own.npy dense.npy
same own.safetensors small.safetensors
absent new.svg

# A disk that is really full, where one can be made.
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs -o size=16k none folder 2>/dev/null; then
  cat >full.sh <<'SCRIPT'
mount -t tmpfs -o size=16k none folder
printf old >folder/out.npz
"$1" run small.safetensors many.npy -o folder/out.npz
status=$?
"$1" run small.safetensors many.npy --plot folder/out.png 2>full_png
[ "$(cat folder/out.npz)" = old ] && [ "$(ls -A folder | wc -l)" = 1 ] || status=1
exit $status
SCRIPT
  expect 2 unshare -m sh full.sh "$CUSEQ"
  err_has 'folder/out.npz: .*No space left'
  grep -q '^cuseq: folder/out.png: .*No space left' full_png || wrong "the full disk should be told: $(cat full_png)"
else
  echo 'no file system can be mounted here: a full disk is tested by a limit only'
fi

# Devices and folders are no output files.
for path in /dev/full /dev/null folder; do
  expect 2 "$CUSEQ" run small.safetensors dense.npy -o $path
  err_has "^cuseq: $path: "
done

# An old file is replaced, a link stays a link.
printf old >folder/target.npz
ln -s target.npz folder/link.npz
expect 0 "$CUSEQ" run small.safetensors dense.npy -o folder/link.npz
[ -L folder/link.npz ] || wrong "the link should stay"
expect 0 "$HELPERS/cli_arrays" folder/target.npz

# stdout: full, closed, a pipe that nobody reads.
for command in "--help" "--version" "run --help" "devices" "info small.safetensors" \
  "run small.safetensors dense.npy" "run small.safetensors dense.npy --json" "translate text.safetensors abc" \
  "compare small.safetensors dense.npy"; do
  COMMAND="$command to a full stdout"
  "$CUSEQ" $command >/dev/full 2>err
  STATUS=$?
  : >out
  [ $STATUS = 2 ] || wrong "exit status 2 was expected"
  err_has '^cuseq: stdout: cannot be written \(No space left on device\)$'
  COMMAND="$command to a closed stdout"
  "$CUSEQ" $command >&- 2>err
  STATUS=$?
  [ $STATUS = 2 ] || wrong "exit status 2 was expected"
  err_has '^cuseq: stdout: cannot be written'
done
yes abc | head -200000 | { "$CUSEQ" translate text.safetensors - 2>err; echo $? >status; } | head -1 >out
COMMAND='translate to a pipe that is closed' STATUS=$(cat status)
[ "$STATUS" = 2 ] || wrong "exit status 2 was expected"
err_has '^cuseq: stdout: cannot be written \(Broken pipe\)$'

# With descriptors closed, no file takes their place.
"$CUSEQ" run small.safetensors dense.npy -o closed.npz <&- >&- 2>&-
STATUS=$? COMMAND='run with all descriptors closed'
[ $STATUS = 2 ] || wrong "exit status 2 was expected"
"$CUSEQ" run small.safetensors dense.npy -o open.npz >out 2>err
same closed.npz open.npz
finish
