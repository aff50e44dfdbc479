# Functions for what may hold the words of strangers: alerts, names of files, answers of servers.

# foreign COMMAND... runs a command. While it runs, the runner takes no workflow commands from the log: what it prints is only
# printed, whatever it says ("Workflow commands for GitHub Actions", stopping and starting workflow commands).
foreign() {
  local token status=0
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '::stop-commands::%s\n' "$token"
  "$@" 2>&1 || status=$?
  printf '\n::%s::\n' "$token"
  return "$status"
}

# output NAME VALUE sets an output of the step. What ends a value of several lines is not known to who wrote the value.
output() {
  local end
  end=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

# stop SENTENCE ends the job with an error on its page. The sentence is the script's own.
stop() {
  printf '::error title=Pullbook::%s\n' "$1"
  exit 1
}
