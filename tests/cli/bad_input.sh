# Every kind of bad input: exit status 2, one line that names the file and what is wrong, no output file.
. "$(dirname "$0")/lib.sh"
files
mkdir a_folder
: >empty.npy
: >empty.safetensors
mkfifo pipe.npy
head -c 100 dense.npy >cut.npy
head -c 150 dense.npy >header_only.npy
{ cat dense.npy; printf x; } >long.npy
head -c 300 small.safetensors >cut.safetensors
head -c 4 small.safetensors >tiny.safetensors
cp dense.npy wrong.safetensors
cp small.safetensors wrong.npy
printf 'not anything at all' >text.npy

# refused FILE PATTERN COMMAND...: names the file, matches, leaves nothing behind.
refused() {
  local file=$1 pattern=$2
  shift 2
  expect 2 "$@"
  err_has "^cuseq: $file: "
  err_has "$pattern"
  absent out.npz
  [ ! -s out ] || wrong "stdout should be empty"
}

for file in missing.npy a_folder pipe.npy empty.npy cut.npy header_only.npy long.npy wrong.npy text.npy /dev/null \
  /dev/zero; do
  for command in run compare; do
    option="-o out.npz"
    [ $command = run ] || option=
    refused "$file" . "$CUSEQ" $command small.safetensors "$file" $option
  done
done
refused missing.npy 'No such file' "$CUSEQ" run small.safetensors missing.npy -o out.npz
refused a_folder folder "$CUSEQ" run small.safetensors a_folder -o out.npz
for file in missing.safetensors a_folder empty.safetensors cut.safetensors tiny.safetensors wrong.safetensors \
  /dev/null; do
  refused "$file" . "$CUSEQ" run "$file" dense.npy -o out.npz
  refused "$file" . "$CUSEQ" translate "$file" abc
  refused "$file" . "$CUSEQ" info "$file"
  refused "$file" . "$CUSEQ" bench "$file"
  refused "$file" . "$CUSEQ" compare "$file" dense.npy
  refused "$file" . "$CUSEQ" evaluate "$file" pairs.tsv
  refused "$file" . "$CUSEQ" score "$file" pairs.tsv
done
refused '\(empty path\)' . "$CUSEQ" info ''

# A file that may not be read: also root may not, without the capability to read everything.
cp dense.npy secret.npy
chmod 000 secret.npy
humble=
if [ "$(id -u)" = 0 ]; then
  if setpriv --bounding-set=-dac_override,-dac_read_search true 2>/dev/null; then
    humble="setpriv --bounding-set=-dac_override,-dac_read_search"
  else
    echo 'setpriv does not work here: reading a forbidden file is not tested'
  fi
fi
if [ "$(id -u)" != 0 ] || [ -n "$humble" ]; then
  refused secret.npy 'Permission denied' $humble "$CUSEQ" run small.safetensors secret.npy -o out.npz
fi

# Headers that lie. A .npy's header is text.
lie() { LC_ALL=C sed "s/$1/$2/" dense.npy >lie.npy; }
lie '(3, 5, 3)' '(3, 5, 4)'
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz
lie '(3, 5, 3), }          ' '(3, 1000000000000000, 3)}'
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz
lie '(3, 5, 3)' '(3, 0, 3)'
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz
lie '<f4' '<U4'
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz
lie "'fortran_order'" "'descr'        "
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz
lie '<f4' '|O8'
refused lie.npy . "$CUSEQ" run small.safetensors lie.npy -o out.npz

# Models that lie: a tensor's name, shape, and values.
LC_ALL=C sed 's/output\.bias/output.bier/' small.safetensors >lie.safetensors
refused lie.safetensors 'output\.bi' "$CUSEQ" run lie.safetensors dense.npy -o out.npz
LC_ALL=C sed 's/\[12,16\]/[16,12]/; s/\[4,16\]/[16,4]/' small.safetensors >lie.safetensors
refused lie.safetensors 'decoder\..*found.*\[16,4\].*needed.*\[4,16\]' \
  "$CUSEQ" run lie.safetensors dense.npy -o out.npz
size=$(stat -c %s small.safetensors)
for value in '\000\000\300\177' '\000\000\200\377'; do
  { head -c $((size - 4)) small.safetensors; printf "$value"; } >lie.safetensors
  refused lie.safetensors '[a-z]+\.[a-z]+.*(nan|NaN|inf|finite)' \
    "$CUSEQ" run lie.safetensors dense.npy -o out.npz
done
LC_ALL=C sed 's/\[0,/[1,/' small.safetensors >lie.safetensors
refused lie.safetensors . "$CUSEQ" info lie.safetensors

# Shapes that do not fit.
refused wide.npy 'float32 \[3,5,4\], needed numbers \[B,T,3\]' \
  "$CUSEQ" run small.safetensors wide.npy -o out.npz
refused flat.npy 'float32 \[3,5\], needed' "$CUSEQ" run small.safetensors flat.npy -o out.npz
refused row.npy 'float32 \[3\], needed' "$CUSEQ" compare small.safetensors row.npy

# Numbers for a model that looks ids up, and tokens that no int32 holds: where, and what was found.
refused wide.npy '\[0,0\] is not one-hot \(the model has an embedding: needed token ids' \
  "$CUSEQ" run layers.safetensors wide.npy -o out.npz
refused targets_enormous.npy 'element 2 is 9223372036854775807 \(it must fit into int32\)' \
  "$CUSEQ" run text.safetensors wide.npy --targets targets_enormous.npy -o out.npz
# An option's letter is the command's own: -o is another option of inspect.
refused --output 'empty value \(needed OUT\.npz\)' "$CUSEQ" run small.safetensors dense.npy -o ''
refused --output 'needs a value \(CONFIG\.json' "$CUSEQ" inspect small.safetensors -o

# NaN and infinity, the first by its index; an option lets them through.
refused nan.npy '\[1,2,1\] is not finite \(found nan' "$CUSEQ" run small.safetensors nan.npy -o out.npz
refused infinite.npy '\[2,4,2\] is not finite \(found -inf' \
  "$CUSEQ" run small.safetensors infinite.npy -o out.npz
refused huge.npy '\[2,4,2\] is not finite \(found 1e\+300' "$CUSEQ" run small.safetensors huge.npy -o out.npz
refused nan.npy '\[1,2,1\] is not finite' "$CUSEQ" compare small.safetensors nan.npy
expect 0 "$CUSEQ" run small.safetensors nan.npy --allow-nonfinite -o out.npz --plot out.svg
exists out.npz
rm out.npz
expect 0 "$CUSEQ" run small.safetensors nan.npy --allow-nonfinite --json
is_json
# What lies past a row's length is not looked at.
expect 0 "$CUSEQ" run small.safetensors nan.npy --lengths lengths.npy

# Lengths and ids, by their row.
refused lengths_zero.npy 'row 1 is out of range \(found 0, needed 1 to 5\)' \
  "$CUSEQ" run small.safetensors dense.npy --lengths lengths_zero.npy -o out.npz
refused lengths_large.npy 'row 2 is out of range \(found 6, needed 1 to 5\)' \
  "$CUSEQ" run small.safetensors dense.npy --lengths lengths_large.npy -o out.npz
refused lengths_enormous.npy 'row 1 is out of range \(found 9223372036854775807, needed 1 to 5\)' \
  "$CUSEQ" run small.safetensors dense.npy --lengths lengths_enormous.npy -o out.npz
refused lengths_few.npy 'int64 \[2\], needed integers \[3\]' \
  "$CUSEQ" run small.safetensors dense.npy --lengths lengths_few.npy -o out.npz
refused lengths_float.npy 'needed integers' \
  "$CUSEQ" compare small.safetensors dense.npy --lengths lengths_float.npy
refused missing.npy 'No such file' "$CUSEQ" run small.safetensors dense.npy --lengths missing.npy -o out.npz
refused ids_large.npy '\[1,3\] is out of range \(found 3, needed 0 to 2\)' \
  "$CUSEQ" run small.safetensors ids_large.npy -o out.npz
refused ids_negative.npy '\[2,4\] is out of range \(found -1, needed 0 to 2\)' \
  "$CUSEQ" run small.safetensors ids_negative.npy -o out.npz
# A checkpoint that would run a command where Python reads it: nothing is run, and what it would run is named.
python3 - <<'END'
import os, pickle, zipfile
class Hostile:
    def __reduce__(self):
        return os.system, ("touch ran",)
for name, protocol in ("hostile.pt", 2), ("framed.pt", 4):
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Hostile()}, protocol))
        archive.writestr("archive/version", "3\n")
END
for file in hostile.pt framed.pt; do
  refused $file "it has '(posix|nt).system', which is none of the names that a state_dict needs; nothing was run" \
    "$CUSEQ" inspect $file
  absent ran
done
head -c 100 hostile.pt >cut.pt
refused cut.pt 'a damaged zip archive' "$CUSEQ" inspect cut.pt
finish
