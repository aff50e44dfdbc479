package approval

import "strings"

// Said is one command about a gate in the body of a review.
type Said struct {
	Step   string
	Reject bool
	Why    string
}

// Commands reads `/approve <step>` and `/reject <step> <why>` from the body of a review. A command stands at the
// beginning of a line; lines in code blocks, indented code and quotes are not read.
func Commands(body string) []Said {
	var out []Said
	for _, line := range Lines(body) {
		verb, rest, _ := strings.Cut(line, " ")
		if verb != "/approve" && verb != "/reject" {
			continue
		}
		step, why, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if step == "" {
			continue
		}
		out = append(out, Said{Step: step, Reject: verb == "/reject", Why: strings.TrimSpace(why)})
	}
	return out
}

// Lines returns the lines of body that begin with a slash and are a person's own words: not quoted, not code. Spaces
// inside a line are folded to one.
func Lines(body string) []string {
	var out []string
	fence := ""
	for line := range strings.Lines(body) {
		trimmed := strings.TrimLeft(line, " ")
		if f := fenceOf(trimmed); f != "" {
			switch {
			case fence == "":
				fence = f
			case f[0] == fence[0] && len(f) >= len(fence):
				fence = ""
			}
			continue
		}
		if fence != "" || len(line)-len(trimmed) > 3 || !strings.HasPrefix(trimmed, "/") {
			continue
		}
		out = append(out, strings.Join(strings.Fields(trimmed), " "))
	}
	return out
}

// fenceOf returns the run of backticks or tildes that opens or closes a code block, at least three long.
func fenceOf(line string) string {
	for _, c := range []string{"`", "~"} {
		if n := len(line) - len(strings.TrimLeft(line, c)); n >= 3 {
			return line[:n]
		}
	}
	return ""
}
