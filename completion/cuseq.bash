# bash completion for cuseq

_cuseq_options() {
  case $1 in
    run) echo "--output --device --precision --lengths --steps --threads --plot --allow-nonfinite --targets --given --start-token --beam --n-best" \
      "--length-penalty --alpha --min-length --retire --prune-by-score --json --help" ;;
    translate) echo "--device --precision --threads --plot --truncate --scores --beam --n-best --length-penalty --alpha" \
      "--min-length --max-length --retire --prune-by-score --json --help" ;;
    classify) echo "--device --precision --threads --plot --truncate --top --json --help" ;;
    tag) echo "--device --precision --threads --truncate --json --help" ;;
    compare) echo "--with --device --precision --tolerance --lengths --steps --targets --given --start-token --threads --json --help" ;;
    evaluate) echo "--device --precision --batch --threads --show-wrong --truncate --json --help" ;;
    score) echo "--device --precision --batch --threads --truncate --json --help" ;;
    convert) echo "--vocabulary --config --pytorch --own-activation --start-token --end-token --steps --link --help" ;;
    inspect) echo "--output --json --help" ;;
    info) echo "--device --precision --time --json --help" ;;
    bench) echo "--batch --time --device --precision --threads --json --help" ;;
    devices) echo "--json --help" ;;
  esac
}

# _cuseq_files WORD PATTERN: folders, and files that match.
_cuseq_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -d -- "$1") $(compgen -f -X "!$2" -- "$1"))
}

# _cuseq_value OPTION WORD COMMAND: what follows an option; returns 1 when the option takes no value.
_cuseq_value() {
  case $1 in
    --device) COMPREPLY=($(compgen -W "auto reference cpu cuda $(cuseq devices 2>/dev/null | cut -d' ' -f1)" -- "$2")) ;;
    --precision) COMPREPLY=($(compgen -W "float32 tf32 bf16" -- "$2")) ;;
    --with) _cuseq_files "$2" '*.npz' ;;
    -o | --output) if [ "$3" = inspect ]; then _cuseq_files "$2" '*.json'; else _cuseq_files "$2" '*.npz'; fi ;;
    --lengths | --targets | --given) _cuseq_files "$2" '*.npy' ;;
    --plot) _cuseq_files "$2" '*.@(svg|png)' ;;
    --vocabulary | --config | --pytorch) _cuseq_files "$2" '*.json' ;;
    --length-penalty) COMPREPLY=($(compgen -W "none length gnmt" -- "$2")) ;;
    --steps | --threads | --tolerance | --batch | --time | --show-wrong | --top | --beam | --n-best | --alpha | \
      --min-length | --max-length | --own-activation | --start-token | --end-token | --link) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

# The operands of a command: what the next one is, after $2 of them.
_cuseq_operand() {
  case $1:$2 in
    run:1 | compare:1) _cuseq_files "$3" '*.npy' ;;
    evaluate:1 | score:1) _cuseq_files "$3" '*.tsv' ;;
    convert:0 | inspect:0) _cuseq_files "$3" '*.@(h5|hdf5|keras|onnx|safetensors|pt|pth|bin|npz)' ;;
    convert:1) _cuseq_files "$3" '*.@(h5|hdf5|keras|onnx|safetensors)' ;;
    *:0 | convert:2) _cuseq_files "$3" '*.safetensors' ;;
    *) COMPREPLY=() ;;
  esac
}

_cuseq() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  local commands="run translate classify tag compare evaluate score convert inspect info bench devices help"
  local restore
  restore=$(shopt -p extglob)
  shopt -s extglob
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$commands --help --version" -- "$word"))
  elif [ "$command" = help ]; then
    COMPREPLY=($(compgen -W "$commands" -- "$word"))
  elif _cuseq_value "$previous" "$word" "$command"; then
    :
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$(_cuseq_options "$command")" -- "$word"))
  elif [ "$command" != devices ]; then
    local i count=0
    for ((i = 2; i < COMP_CWORD; i++)); do
      case ${COMP_WORDS[i]} in
        -o | --output | --device | --precision | --lengths | --steps | --threads | --plot | --tolerance | --batch | --time | \
          --show-wrong | --top | --with | --vocabulary | --config | --pytorch | --targets | --given | --beam | --n-best | \
          --length-penalty | --alpha | --min-length | --max-length | --own-activation | --start-token | \
          --end-token | --link) i=$((i + 1)) ;;
        -?*) ;;
        *) count=$((count + 1)) ;;
      esac
    done
    _cuseq_operand "$command" "$count" "$word"
  fi
  $restore
}

complete -F _cuseq cuseq
