//go:build race

package sim

// fewer is how many times fewer seeds the tests take under the race detector, which makes them ten times slower.
const fewer = 6
