#!/usr/bin/env bash
# Sends an alert to a ledger: the one that is given, or that of the failed job in which this runs. With a token it goes as a
# repository_dispatch, which needs no server; with an address, to the server that serves the ledger.
set -euo pipefail
# shellcheck source=../foreign.sh
. "$(dirname "${BASH_SOURCE[0]}")/../foreign.sh"
most=65000 # characters of client_payload: GitHub takes less than 64 KB
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
command -v jq >/dev/null || stop "jq is not on this runner"
command -v curl >/dev/null || stop "curl is not on this runner"

if [ -n "${ALERT:-}" ]; then
  printf '%s' "$ALERT" >"$work/alert.json"
  jq -e 'type == "object" and (.name | type == "string")' <"$work/alert.json" >/dev/null 2>&1 || stop "alert is no JSON object with a name"
else
  # What names the problem is the same each time the job fails on the branch; what belongs to one run is an annotation.
  jq -n --arg repo "${GITHUB_REPOSITORY:-}" --arg workflow "${GITHUB_WORKFLOW:-}" --arg job "${JOB:-${GITHUB_JOB:-}}" --arg branch "${GITHUB_REF_NAME:-}" \
    --arg event "${GITHUB_EVENT_NAME:-}" --arg sha "${GITHUB_SHA:-}" --arg actor "${GITHUB_ACTOR:-}" \
    --arg run "${GITHUB_SERVER_URL:-}/${GITHUB_REPOSITORY:-}/actions/runs/${GITHUB_RUN_ID:-}" --arg status "${STATUS:-firing}" '
    {name: "JobFailed", status: $status, group: "\($repo) \($workflow) \($job) \($branch)", url: $run,
     labels: {repository: $repo, workflow: $workflow, job: $job, branch: $branch},
     annotations: {summary: "Job \($job) of \($workflow) failed on \($branch)", run: $run, commit: $sha, actor: $actor, event: $event}}' >"$work/alert.json"
fi
if ! jq -n --slurpfile alert "$work/alert.json" --arg runbook "${RUNBOOK:-}" --argjson inputs "${INPUTS:-null}" '
  {alert: $alert[0]} + (if $runbook == "" then {} else {runbook: $runbook} end) + (if $inputs == null then {} else {inputs: $inputs} end)' \
  >"$work/payload.json" 2>/dev/null; then
  stop "inputs is no JSON"
fi
[ "$(jq -r 'if has("inputs") then (.inputs | type) else "object" end' <"$work/payload.json")" = object ] || stop "inputs is no JSON object"
[ -n "${RUNBOOK:-}" ] || [ -z "${INPUTS:-}" ] || stop "inputs needs runbook"

if [ -n "${SERVER:-}" ]; then
  url="${SERVER%/}/alerts/generic" expected=202
  if [ -n "${RUNBOOK:-}" ]; then url="${SERVER%/}/open"; cp "$work/payload.json" "$work/body.json"; else cp "$work/alert.json" "$work/body.json"; fi
else
  [ -n "${LEDGER:-}" ] || stop "ledger is missing: owner/name of the repository with the runbooks"
  [ -n "${TOKEN:-}" ] || stop "token is missing: it needs contents: write on the ledger, to send it an event"
  [ "$(jq -c . <"$work/payload.json" | wc -c)" -le "$most" ] || stop "The alert is larger than what GitHub takes with an event, 64 KB: put a link into it"
  url="${GITHUB_API_URL:-https://api.github.com}/repos/$LEDGER/dispatches" expected=204
  jq -c '{event_type: "pullbook", client_payload: .}' <"$work/payload.json" >"$work/body.json"
fi
printf 'Content-Type: application/json\nAccept: application/vnd.github+json\n' >"$work/headers"
[ -z "${TOKEN:-}" ] || printf 'Authorization: Bearer %s\n' "$TOKEN" >>"$work/headers"
unset TOKEN

touch "$work/answer"
got=$(curl --silent --show-error --max-time 30 --retry 3 --proto '=http,https' --output "$work/answer" --write-out '%{http_code}' \
  --header "@$work/headers" --data-binary "@$work/body.json" "$url" 2>"$work/failed") || true
if [ "$got" != "$expected" ]; then
  foreign head -c 2000 "$work/answer" "$work/failed"
  stop "The alert was not taken: the answer was ${got:-none}, not $expected"
fi
echo "The alert was taken."
# GitHub takes an event for a workflow that is disabled, and nothing comes of it. A token that may read Actions finds that out.
if [ -z "${SERVER:-}" ]; then
  state=$(curl --silent --max-time 30 --header "@$work/headers" "${url%/dispatches}/actions/workflows/pullbook-advance.yml" | jq -r '.state? // empty' 2>/dev/null) || true
  case $state in
  '' | active) ;;
  *[!a-z_]*) stop "Nothing will come of the alert: the ledger's workflow pullbook-advance.yml is not active" ;;
  *) stop "Nothing will come of the alert: the ledger's workflow pullbook-advance.yml is $state" ;;
  esac
fi
printf '### Incident\n\nAn alert was sent to the ledger.\n' >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
