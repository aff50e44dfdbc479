#!/usr/bin/env bash
# Puts what a job puts out where a step of kind actions looks for it.
set -euo pipefail
# shellcheck source=../foreign.sh
. "$(dirname "${BASH_SOURCE[0]}")/../foreign.sh"
most=262144 # bytes: a step takes no larger output
command -v jq >/dev/null || stop "jq is not on this runner"
dir="$RUNNER_TEMP/pullbook-output"
mkdir -p "$dir"
if [ -n "${FILE:-}" ]; then
  [ -f "$FILE" ] || stop "file names no file"
  [ -z "${VALUES:-}" ] || stop "Either output or file: both are given"
  cat -- "$FILE" >"$dir/given"
else
  printf '%s' "${VALUES:-}" >"$dir/given"
fi
[ "$(wc -c <"$dir/given")" -le "$most" ] || stop "The output is larger than 256 KiB"
jq -e -s 'length == 1 and (.[0] | type == "object")' <"$dir/given" >/dev/null 2>&1 || stop "The output is not one JSON object"
mv "$dir/given" "$dir/output.json"
output dir "$dir"
