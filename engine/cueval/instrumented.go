//go:build race

package cueval

// instrumented says that the race detector is built in, whose own tables are larger than any limit on memory.
const instrumented = true

// fewer is how many times fewer of many alike the tests take under the race detector, which makes each ten times as dear.
const fewer = 6
