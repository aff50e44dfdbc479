//go:build !race

package incident

const fewer = 1
