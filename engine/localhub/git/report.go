package git

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Channels of a report to the client (gitprotocol-pack(5), "Packfile Data"): git's own, and what people read.
const (
	channelReport = 1
	channelText   = 2
	maxPacket     = 65520
)

// packets splits a stream of pkt-lines (gitprotocol-common(5)); a flush packet is nil. It is false for anything else.
func packets(text []byte) ([][]byte, bool) {
	var list [][]byte
	for len(text) > 0 {
		if len(text) < 4 {
			return nil, false
		}
		n, err := strconv.ParseUint(string(text[:4]), 16, 16)
		switch {
		case err != nil, n > 0 && n < 4, int(n) > len(text):
			return nil, false
		case n == 0:
			list, text = append(list, nil), text[4:]
		default:
			list, text = append(list, text[4:n]), text[n:]
		}
	}
	return list, true
}

func packet(content []byte) []byte {
	if content == nil {
		return []byte("0000")
	}
	return append(fmt.Appendf(nil, "%04x", len(content)+4), content...)
}

// declined is how GitHub words the status of a ref that an update hook refused: by a rule, or by the protection of
// branches that was before rules.
func declined(classic bool) string {
	if classic {
		return "protected branch hook declined"
	}
	return "push declined due to repository rule violations"
}

// worded is git's report on a push with the status of refused refs in GitHub's words; classic says which refs were
// refused by a protection of branches. A report that is in no known form is left as it is.
func worded(report []byte, classic map[string]bool) []byte {
	outer, ok := packets(report)
	if !ok {
		return report
	}
	var banded, out, status []byte
	for _, p := range outer {
		switch {
		case len(p) > 0 && p[0] == channelReport:
			banded = append(banded, p[1:]...)
		case len(p) > 0 && p[0] == channelText:
			out = append(out, spoken(p)...)
		}
	}
	if banded == nil { // a client without channels: the report stands alone
		return statuses(outer, classic)
	}
	inner, ok := packets(banded)
	if !ok {
		return report
	}
	status = statuses(inner, classic)
	for len(status) > 0 {
		n := min(len(status), maxPacket-5)
		out = append(out, packet(append([]byte{channelReport}, status[:n]...))...)
		status = status[n:]
	}
	return append(out, packet(nil)...)
}

// statuses rewrites the lines of report-status: "ng <ref> <reason>".
func statuses(lines [][]byte, classic map[string]bool) []byte {
	var out []byte
	for _, line := range lines {
		f := strings.SplitN(strings.TrimSuffix(string(line), "\n"), " ", 3)
		if len(f) == 3 && f[0] == "ng" && f[2] == "hook declined" {
			line = []byte("ng " + f[1] + " " + declined(classic[f[1]]) + "\n")
		}
		out = append(out, packet(line)...)
	}
	return out
}

// spoken is a packet for people without what git adds of its own to a hook's refusal.
func spoken(p []byte) []byte {
	if bytes.HasPrefix(p[1:], []byte("error: hook declined to update ")) {
		return nil
	}
	return packet(p)
}
