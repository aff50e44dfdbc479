package runbook

import "strings"

// Nearest returns the candidate nearest to a misspelled name, or nothing if none is near. Among equally near ones it is the first.
func Nearest(name string, candidates []string) string {
	// In a short name two wrong letters make another name.
	best, least := "", min(3, (len(name)+1)/2+1, len(name))
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their neighbour to turn a into b: the restricted
// Damerau-Levenshtein distance. Names are cut to 64 bytes, beyond which nobody misspells by two letters.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
