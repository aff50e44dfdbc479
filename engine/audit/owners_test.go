package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestCodeOwnersAreVerified: the frozen plan names as code owners whom CODEOWNERS named at that commit, and nobody else.
func TestCodeOwnersAreVerified(t *testing.T) {
	const owned = "* @mallory\n/runbooks/ @acme/sre @bob\n"
	asks := func(who ...string) runbook.Approval {
		rule := runbook.Approval{From: []string{runbook.CodeOwners}, Count: 2}
		return rule.With(runbook.CodeOwners, who, runbook.OwnerOfCode)
	}
	right := []string{"acme/sre", "bob"}
	plain := *plan().Steps[1].Approval
	for _, c := range []struct {
		name    string
		file    map[string][]byte // CODEOWNERS, wherever it lies
		owners  []string          // of the plan
		rule    runbook.Approval
		unknown int      // lines that are nobody's
		asked   []string // of the gate's rule, as code owners, where lines are nobody's
		commit  string   // empty: nothing is wrong
		why     string
	}{
		{"no file, and nobody", nil, nil, plain, 0, nil, "", ""},
		{"they are in the plan", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, plain, 0, nil, "", ""},
		{"they approve", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, asks(right...), 0, nil, "", ""},
		{"the first place counts", map[string][]byte{".github/CODEOWNERS": []byte(owned), "CODEOWNERS": []byte("* @eve")}, right, asks(right...), 0, nil, "", ""},
		{"the first place does not count", map[string][]byte{".github/CODEOWNERS": []byte("* @eve"), "CODEOWNERS": []byte(owned)}, right, plain, 0, nil, "open", "by CODEOWNERS they are"},
		{"no file, and somebody", nil, right, plain, 0, nil, "open", "by CODEOWNERS they are"},
		{"a file, and nobody", map[string][]byte{"docs/CODEOWNERS": []byte(owned)}, nil, plain, 0, nil, "open", "by CODEOWNERS they are"},
		{"one more", map[string][]byte{"CODEOWNERS": []byte(owned)}, []string{"acme/sre", "bob", "mallory"}, plain, 0, nil, "open", "by CODEOWNERS they are"},
		{"the rule asks others", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, asks("acme/sre", "bob", "mallory"), 0, nil, "open", "asks"},
		{"the rule asks the word", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, runbook.Approval{From: []string{runbook.CodeOwners, "bob"}, Count: 1}, 0, nil, "open", "stand for"},
		{"nobody knows all: somebody of the rule, not of the code", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, plain, 1, nil, "gate", "not that of the plan"},
		{"nobody knows all: one more code owner, who is not there", map[string][]byte{"CODEOWNERS": []byte(owned)}, right, plain, 1, right, "approve", "2 of 3 approvals"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			authors := &runbook.Authorship{Unmapped: c.unknown}
			say("gate", func(_ *ledger, d *incident.GateOpened) { d.Authors, d.Rule = authors, authors.Rule(c.rule, c.asked) })(l)
			files := map[string][]byte{keysPath: allowing(signerOf(1)), runbookPath: []byte(runbookText), "pullbook.cue": []byte(policyText)}
			for path, text := range c.file {
				files[path] = text
			}
			l.people("root", files)
			l.start("group one")
			step := &l.inc.plan.Steps[1]
			step.Lines, step.CodeOwners, step.Approval = []runbook.Lines{{File: runbookPath, From: 1, To: 2}}, c.owners, &c.rule
			gatedToTheEnd(t, l, c.commit, c.why)
		})
	}
}
