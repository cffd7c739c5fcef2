#!/usr/bin/env bash
# exports_test.sh NAMES LIBRARY [NVIDIA'S LIBRARY]: the drop-in exports every listed name under the library's version,
# and nothing else; NVIDIA's library, where it is installed, has no name that the list lacks.
set -euo pipefail
names=$1 library=$2 original=${3:-}
soname=$(basename "$library")
exported() { objdump -T "$1" | awk '/ DF \.text/ { print $NF }' | sort -u; }
versions=$(objdump -T "$library" | awk '/ DF \.text/ { print $(NF - 1) }' | tr -d '()' | sort -u)
[ "$versions" = "$soname" ] || { echo "versions: found $versions, needed $soname"; exit 1; }
objdump -p "$library" | grep -q "SONAME *$soname" || { echo "no SONAME $soname"; exit 1; }
diff <(sort -u "$names") <(exported "$library") || { echo "$library: exports differ from $names"; exit 1; }
if [ -e "$original" ]; then
  missing=$(comm -13 <(sort -u "$names") <(exported "$original"))
  [ -z "$missing" ] || { echo "names that NVIDIA's library has and the list lacks: $missing"; exit 1; }
fi
echo "all as it should be"
