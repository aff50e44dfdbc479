#!/usr/bin/env bash
# Vets runbooks and plays their stories. Mistakes become annotations.
set -euo pipefail
# shellcheck source=../foreign.sh
. "$(dirname "${BASH_SOURCE[0]}")/../foreign.sh"
program=${PULLBOOK:-$RUNNER_TEMP/pullbook-program/pullbook}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lines() { # NAME: the lines of a variable, blank ones left out
  local line
  while IFS= read -r line; do [ -z "${line//[[:space:]]/}" ] || printf '%s\0' "$line"; done <<<"${!1:-}"
}
args=(--format github)
while IFS= read -r -d '' rules; do args+=("--rules=$rules"); done < <(lines RULES)
args+=(--)
while IFS= read -r -d '' path; do args+=("$path"); done < <(lines PATHS)

status=0
"$program" vet "${args[@]}" >"$work/annotations" 2>"$work/said" || status=$?
mistakes=$(grep -c '^::error ' "$work/annotations" || true)
cat "$work/annotations" # commands that the program wrote, every text in them escaped
foreign cat "$work/said"
output mistakes "$mistakes"

told=() # what has stories, of the paths: directories of runbooks, those of ledgers, and single runbooks
while IFS= read -r -d '' path; do
  for at in "$path" "$path/runbooks"; do [ -z "$(compgen -G "$at/*.test")" ] || told+=("$at"); done
  [ ! -f "${path%.cue}.test" ] || told+=("${path%.cue}.test")
done < <(lines PATHS)
stories=none
if [ "$status" -eq 0 ] && [ "${STORIES:-true}" = true ] && [ "${#told[@]}" -gt 0 ]; then
  stories=passed
  foreign "$program" test -- "${told[@]}" || { status=$?; stories=failed; }
fi
output stories "$stories"
lost=
[ "$status" -eq 0 ] || [ "$mistakes" != 0 ] || [ "$stories" = failed ] || lost=yes
case $lost$stories in
yesnone) verdict="Nothing was vetted: the log of this step says why" ;;
failed) verdict="no mistakes, and stories that do not end as they say" ;;
*) verdict="$mistakes $([ "$mistakes" = 1 ] && echo mistake || echo mistakes), stories: $stories" ;;
esac
printf '### Runbooks\n\n%s\n' "$verdict" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
[ -z "$lost" ] || stop "$verdict"
[ "$stories" != failed ] || stop "A story does not end as it says; the log of this step has what the engine does instead"
exit "$status"
