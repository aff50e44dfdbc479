#!/usr/bin/env bash
# The program that the actions beside this file run, built from the commit at which they are used.
#
#   binary.sh key     what it is built from as one word, and where it will be, to GITHUB_OUTPUT
#   binary.sh build   builds it there, unless it is there
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir="$RUNNER_TEMP/pullbook-program"

digest() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

case ${1:-} in
key)
  sum=$(cd "$root" && find go.mod go.sum cmd engine runbooks schema -type f ! -name '*_test.go' ! -path '*/testdata/*' -print0 |
    LC_ALL=C sort -z | xargs -0 cat | digest | cut -d ' ' -f 1)
  printf 'key=pullbook-%s-%s-%s\ndir=%s\n' "$RUNNER_OS" "$RUNNER_ARCH" "$sum" "$dir" >>"$GITHUB_OUTPUT"
  ;;
build)
  [ -x "$dir/pullbook" ] || (cd "$root" && GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOTOOLCHAIN=auto go build -trimpath -ldflags='-s -w' -o "$dir/pullbook" ./cmd/pullbook)
  ;;
*)
  echo "binary.sh: key or build" >&2
  exit 2
  ;;
esac
