package github

import (
	"strings"
	"unicode/utf8"
)

// The hub's bounds. It counts characters; bytes are counted here, which is never more than it allows.
const (
	maxBody   = 65_536 // of pull requests and comments
	maxOutput = 65_535 // of a check run's summary and text
	maxTitle  = 255
)

const cutNote = "\n\n*The rest does not fit here; the whole is in the ledger.*\n"

// cut bounds a line.
func cut(s string, bound int) string {
	if len(s) <= bound {
		return s
	}
	const mark = "…"
	return whole(s[:bound-len(mark)]) + mark
}

// whole drops the beginning of a character that a cut has left at the end.
func whole(s string) string {
	for i := 0; i < utf8.UTFMax && len(s) > 0; i++ {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// cutMarkdown bounds markdown. It cuts at the end of a line where there is one, closes the code block that it cut into,
// so that nothing after it is read as code or the code as anything else, and says that something is missing.
func cutMarkdown(s string, bound int) string {
	if len(s) <= bound {
		return s
	}
	kept := whole(s[:bound-len(cutNote)])
	if i := strings.LastIndexByte(kept, '\n'); i > 0 {
		kept = kept[:i]
	}
	fence := openFence(kept)
	if fence == "" {
		return kept + cutNote
	}
	for len(kept)+1+len(fence)+len(cutNote) > bound {
		i := max(0, strings.LastIndexByte(kept, '\n'))
		if i == 0 {
			return cutNote // one line that is a fence as long as the bound
		}
		kept = kept[:i]
		if fence = openFence(kept); fence == "" {
			return kept + cutNote
		}
	}
	return kept + "\n" + fence + cutNote
}

// openFence returns the fence that closes the code block in which markdown ends, or nothing. See CommonMark 0.31,
// section 4.5.
func openFence(markdown string) string {
	open := ""
	for text := range strings.Lines(markdown) {
		text = strings.TrimRight(text, "\r\n")
		trimmed := strings.TrimLeft(text, " ")
		if len(text)-len(trimmed) > 3 || trimmed == "" || trimmed[0] != '`' && trimmed[0] != '~' {
			continue
		}
		rest := strings.TrimLeft(trimmed, trimmed[:1])
		fence := trimmed[:len(trimmed)-len(rest)]
		switch {
		case open == "" && len(fence) >= 3 && (fence[0] == '~' || !strings.Contains(rest, "`")):
			open = fence
		case open != "" && fence[0] == open[0] && len(fence) >= len(open) && strings.TrimSpace(rest) == "":
			open = ""
		}
	}
	return open
}
