package runbook

// MaxLocks is how many locks one step can take.
const MaxLocks = 16
