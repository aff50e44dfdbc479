#!/usr/bin/env bash
# Looks once at the incidents of a ledger and does what is due. Keys come in variables, lie in files while the program runs, and
# are not in its environment.
set -euo pipefail
# shellcheck source=../foreign.sh
. "$(dirname "${BASH_SOURCE[0]}")/../foreign.sh"
program=${PULLBOOK:-$RUNNER_TEMP/pullbook-program/pullbook}
hint="is it a secret of the job's environment, does the job name that environment, and does it run on a branch that the environment allows?"
APP_KEY=${APP_KEY:-} SIGNING_KEY=${SIGNING_KEY:-}
[ -n "${APP_KEY//[[:space:]]/}" ] || stop "The App's private key is missing: $hint"
[ -n "${SIGNING_KEY//[[:space:]]/}" ] || stop "The key that signs the ledger is missing: $hint"
[ -n "${APP_ID:-}" ] || stop "app-id is missing: it is the number on the App's page"

keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
(umask 077 && printf '%s\n' "$APP_KEY" >"$keys/app.pem" && printf '%s\n' "$SIGNING_KEY" >"$keys/signing" && printf '%s' "${ALERT:-}" >"$keys/alert.json")
unset APP_KEY SIGNING_KEY

args=("--app-id=$APP_ID" "--app-key=$keys/app.pem" "--signing-key=$keys/signing" "--within=${WITHIN:-10m}")
[ -z "${LEDGER:-}" ] || args+=("--repo=$LEDGER")
[ -z "${INSTALLATION_ID:-}" ] || args+=("--installation-id=$INSTALLATION_ID")
[ -z "${INCIDENT:-}" ] || args+=("--incident=$INCIDENT")
[ -z "${RUNBOOK:-}" ] || args+=("--runbook=$RUNBOOK")
[ -z "${SECRETS_DIR:-}" ] || args+=("--secrets-dir=$SECRETS_DIR")
[ "${BUTTONS:-false}" != true ] || args+=(--buttons)
[ "${PRIVATE_NETWORKS:-false}" != true ] || args+=(--private-networks)
if [ -s "$keys/alert.json" ]; then
  args+=("--alert=$keys/alert.json")
else
  case ${GITHUB_EVENT_NAME:-} in
  repository_dispatch | check_run | issues | deployment_status | workflow_run)
    args+=("--event=$GITHUB_EVENT_PATH") # these may bring what is told nowhere else
    ;;
  esac
fi
foreign "$program" advance "${args[@]}" || stop "Something could not be done; the log of this step and the job's summary say what"
