//go:build race

package cueval

// instrumented says that the race detector is built in, whose own tables are larger than any limit on memory.
const instrumented = true
