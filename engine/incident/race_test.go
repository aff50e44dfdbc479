//go:build race

package incident

// fewer is how many times fewer of many alike the tests take under the race detector, which makes each ten times as dear.
const fewer = 6
