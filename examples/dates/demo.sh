#!/usr/bin/env bash
# Ten dates of ten kinds through the model that lies in models/, with the attention drawn: demo.sh PROGRAM
# Off a terminal it borrows one from script(1), where there is one. The picture goes to attention.svg beside the program.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

texts=("3 May 1979" "26.07.70" "12/12/15" "sat 21 Jan, 2012" "monday august 18 1986" "7th of July, 1990"
  "2024-02-29" "Dec 1st 99" "25/12/2031" "THU, 4 OCT 1957")
picture=$(dirname "$program")/attention.svg
command=("$program" translate models/dates.safetensors "${texts[@]}" --plot "$picture")

if [ -t 1 ]; then
  "${command[@]}"
elif script -qec true /dev/null </dev/null >/dev/null 2>&1; then
  NO_COLOR=1 script -qec "$(printf '%q ' "${command[@]}")" /dev/null </dev/null | tr -d '\r'
else
  "${command[@]}" | for text in "${texts[@]}"; do read -r date && printf '%s\t%s\n' "$text" "$date"; done
fi
echo
echo "The same picture for a slide: $(realpath --relative-to=. "$picture")"
