#!/usr/bin/env bash
# The commit that is being measured; "-dirty" where anything but results and what is made of them differs from it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
commit=$(git rev-parse --short HEAD 2>/dev/null) || { echo unknown; exit 0; }
changed=$(git status --porcelain --untracked-files=no -- . ':(exclude)bench/results/*.json' ':(exclude)bench/counters/table.md' \
  ':(exclude)docs/performance*' ':(exclude)README.md')
echo "$commit${changed:+-dirty}"
