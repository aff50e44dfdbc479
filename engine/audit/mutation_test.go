package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// mutation is one thing that is wrong with an otherwise good ledger of two incidents. Verify must name the commit.
type mutation struct {
	name   string
	change func(l *ledger) // before the story is written
	commit string          // the name of the wrong commit
	why    string          // part of the finding
}

// first is the directory of the first incident.
var first = incident.NewID(incident.Slot("group one", ""), at(0)).Dir()

// edit changes the draft of a commit.
func edit(name string, change func(*draft)) func(*ledger) {
	return func(l *ledger) { l.edits[name] = change }
}

func write(name, path, content string) func(*ledger) {
	return edit(name, func(d *draft) {
		if d.files == nil {
			d.files = map[string][]byte{}
		}
		d.files[path] = []byte(content)
	})
}

// say changes the first event of a kind in a commit; the commit is signed with the change in it.
func say[T incident.Data](name string, change func(l *ledger, data *T)) func(*ledger) {
	return func(l *ledger) {
		l.says[name] = func(due []incident.Event) (out []any) {
			done := false
			for _, e := range due {
				if data, ok := e.Data.(T); ok && !done {
					change(l, &data)
					e.Data, done = data, true
				}
				out = append(out, e)
			}
			return out
		}
	}
}

// unsaid leaves the events of a kind out of a commit.
func unsaid[T incident.Data](name string) func(*ledger) {
	return func(l *ledger) {
		l.says[name] = func(due []incident.Event) (out []any) {
			for _, e := range due {
				if _, ok := e.Data.(T); !ok {
					out = append(out, e)
				}
			}
			return out
		}
	}
}

func both(changes ...func(*ledger)) func(*ledger) {
	return func(l *ledger) {
		for _, change := range changes {
			change(l)
		}
	}
}

func votes(change func(l *ledger, v []approval.Vote) []approval.Vote) func(*ledger) {
	return say("approve", func(l *ledger, d *incident.GateApproved) { d.Votes = change(l, slices.Clone(d.Votes)) })
}

func runMutations(t *testing.T, mutations []mutation) {
	t.Helper()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.whole()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}

// expect checks the first finding of a report.
func expect(t *testing.T, l *ledger, r Report, commit, why string) {
	t.Helper()
	if r.OK() {
		t.Fatalf("nothing was found; %s should be", commit)
	}
	if f := r.Findings[0]; l.name(f.Commit) != commit || !strings.Contains(f.Why, why) {
		t.Errorf("found %s: %s, want %s about %q", l.name(f.Commit), f, commit, why)
	}
	if r.Verdict() != "wrong" {
		t.Errorf("verdict %q", r.Verdict())
	}
}

func TestApprovals(t *testing.T) {
	runMutations(t, []mutation{
		{"missing vote", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { return v[:1] }), "approve", "1 of 2 approvals"},
		{"same person twice", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[1].By.ID = v[0].By.ID; return v }), "approve", "twice"},
		{"a bot", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[1].By.Bot = true; return v }), "approve", "not a person's"},
		{"nobody", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[1].By.ID = 0; return v }), "approve", "not a person's"},
		{"not of the team", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[0].By.Teams = nil; return v }), "approve", "may not approve"},
		{"no write permission", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[0].By.Write = false; return v }), "approve", "may not approve"},
		{"vote on a commit before the gate", votes(func(l *ledger, v []approval.Vote) []approval.Vote { v[0].Commit = l.ids["open"]; return v }), "approve", "not open with this page"},
		{"vote on a commit of the default branch", votes(func(l *ledger, v []approval.Vote) []approval.Vote { v[0].Commit = l.ids["root"]; return v }), "approve", "no earlier commit"},
		{"vote on a foreign commit", votes(func(_ *ledger, v []approval.Vote) []approval.Vote {
			v[0].Commit = strings.Repeat("a", 40)
			return v
		}), "approve", "no earlier commit"},
		{"vote on no commit", votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[1].Commit = ""; return v }), "approve", "no earlier commit"},
		{"vote for another page", say("approve", func(_ *ledger, d *incident.GateApproved) { d.Page = digest }), "approve", "another page"},
		{"no votes at all", unsaid[incident.GateApproved]("approve"), "approve", "cannot start"},
		{"no gate at all", both(unsaid[incident.GateOpened]("gate"), edit("gate", func(d *draft) { delete(d.files, journal.GatePath(first, "rollback", 1)) }), withoutGate), "approve", "without its approvals"},
		{"start that names no gate", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Gate = "" }), "approve", "without its approvals"},
		{"start behind another page", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Gate = digest }), "approve", "not approved"},
		{"start of something else", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Digest = strings.Repeat("0", 64) }), "approve", "another digest"},
		{"weaker rule", say("gate", func(_ *ledger, d *incident.GateOpened) { d.Rule.Count = 1 }), "gate", "not that of the plan"},
		{"rule with more people", say("gate", func(_ *ledger, d *incident.GateOpened) { d.Rule.From = append(slices.Clone(d.Rule.From), "mallory") }), "gate", "not that of the plan"},
		{"gate that the plan does not have", say("gate", func(_ *ledger, d *incident.GateOpened) { d.Step = "logs" }), "gate", "cannot be asked for"},
		{"page that people did not see", write("gate", journal.GatePath(first, "rollback", 1), "# Gate: harmless\n"), "gate", "not the one that the journal names"},
		{"page changed after the approval", write("approve", journal.GatePath(first, "rollback", 1), "# Gate: worse\n"), "approve", "no event of this commit"},
		{"page that is not there", edit("gate", func(d *draft) { delete(d.files, journal.GatePath(first, "rollback", 1)) }), "gate", "not the one that the journal names"},
	})
}

// withoutGate starts the step as if the plan had no gate.
func withoutGate(l *ledger) {
	l.says["approve"] = func([]incident.Event) []any {
		d := l.started()
		d.Gate = ""
		return []any{d}
	}
}

func TestSteps(t *testing.T) {
	failed := say("end", func(_ *ledger, d *incident.StepEnded) { d.Conclusion = runbook.Failed })
	again := func(l *ledger) {
		l.says["close"] = func([]incident.Event) []any {
			d := l.started()
			d.Attempt, d.Key = 2, runbook.AttemptKey(string(l.inc.id), "rollback", 2)
			return []any{d}
		}
	}
	runMutations(t, []mutation{
		{"other risk", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Risk = runbook.RiskRead }), "approve", "the plan says"},
		{"other kind", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Work = runbook.KindHTTP }), "approve", "the plan says"},
		{"key of another attempt", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Key += "0" }), "approve", "key of another"},
		{"attempt out of order", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Attempt = 2 }), "approve", "does not follow attempt"},
		{"outcome without intent", unsaid[incident.StepStarted]("end"), "close", "no intent"},
		{"outcome of a gated step without intent", unsaid[incident.StepStarted]("approve"), "end", "step rollback"},
		{"intent in the commit of its outcome", func(l *ledger) {
			l.says["approve"] = func(due []incident.Event) []any { return []any{due[0]} }
			l.says["end"] = func(due []incident.Event) []any { return []any{l.started(), due[0].Data} }
		}, "end", "in the same commit"},
		{"started again by itself", both(failed, again), "close", "nobody asked"},
		{"manual step done by nobody", func(l *ledger) {
			l.says["close"] = func(due []incident.Event) []any {
				note := due[1].Data.(incident.StepEnded)
				note.Deed = nil
				return []any{due[0].Data, note, due[2].Data, due[3].Data}
			}
		}, "close", "by nobody"},
		{"step that the plan does not have", func(l *ledger) {
			l.says["close"] = func([]incident.Event) []any {
				return []any{incident.StepSkipped{Step: "nothing", Why: "its when is false"}}
			}
		}, "close", "no step"},
		{"outcome twice", func(l *ledger) {
			l.says["close"] = func([]incident.Event) []any {
				d := l.ended()
				d.Evidence = ""
				return []any{d}
			}
		}, "close", "step rollback"},
		{"event after the end", func(l *ledger) {
			l.says["close"] = func(due []incident.Event) []any {
				return []any{due[0], due[1], due[2], due[3], incident.AlertUpdated{}}
			}
		}, "close", "nothing may follow the end"},
		{"time runs backwards", func(l *ledger) {
			l.says["end"] = func(due []incident.Event) []any {
				due[0].At = at(5)
				return []any{due[0]}
			}
		}, "end", "is before that of the event before it"},
		{"gate for a step without one", func(l *ledger) {
			l.says["gate"] = func(due []incident.Event) []any {
				d := gateOpened()
				d.Step = "recovered"
				return []any{due[0], due[1], d}
			}
			l.edits["gate"] = func(d *draft) {
				d.files[journal.GatePath(first, "recovered", 2)] = []byte(page)
				delete(d.files, journal.GatePath(first, "rollback", 1))
			}
		}, "gate", "asks for no approval"},
	})
}

func TestEvidence(t *testing.T) {
	log := journal.EvidencePath(first, "rollback", 1, journal.LogName, 1)
	output := journal.EvidencePath(first, "logs", 1, journal.OutputName, 0)
	runMutations(t, []mutation{
		{"changed log", write("end", log, "nothing happened\n"), "end", "not the one that the journal names"},
		{"no log", edit("end", func(d *draft) { delete(d.files, log) }), "end", "disagree"},
		{"log that nobody names", say("end", func(_ *ledger, d *incident.StepEnded) { d.Evidence = "" }), "end", "disagree"},
		{"changed output", write("gate", output, `{"errors":0}`), "gate", "not the one that the journal holds"},
		{"output that is not JSON", write("gate", output, `{"errors"`), "gate", "not the one that the journal holds"},
		{"further evidence", write("end", strings.Replace(log, "log.txt", "more.txt", 1), "x"), "end", "no event of this commit"},
		{"evidence of another attempt", write("end", strings.Replace(log, "/1/log", "/2/log", 1), "x"), "end", "no event of this commit"},
		{"log changed later", write("close", log, "nothing happened\n"), "close", "what an earlier commit wrote"},
		{"log removed later", edit("close", func(d *draft) { d.drop = []string{log} }), "close", "removes a file"},
		{"no report", edit("close", func(d *draft) { delete(d.files, journal.ReportPath(first)) }), "close", "report"},
		{"report before the end", write("end", journal.ReportPath(first), "# Report\n"), "end", "no event of this commit"},
	})
}

func TestOpening(t *testing.T) {
	plan := journal.PlanDir(first)
	opened := func(change func(*ledger, *incident.Opened)) func(*ledger) { return say("open", change) }
	runMutations(t, []mutation{
		{"frozen elsewhere", opened(func(_ *ledger, d *incident.Opened) { d.Commit = strings.Repeat("b", 40) }), "open", "its branch starts at"},
		{"name of another problem", opened(func(_ *ledger, d *incident.Opened) { d.Group = "group two" }), "open", "does not follow from its alert group"},
		{"other plan", opened(func(_ *ledger, d *incident.Opened) { d.Plan = digest }), "open", "does not say what the journal says"},
		{"plan file more", write("open", plan+"more.cue", "x"), "open", "another digest"},
		{"plan file changed", write("open", plan+"plan.json", "{}\n"), "open", "another digest"},
		{"plan file later", write("gate", plan+"more.cue", "x"), "gate", "no event of this commit"},
		{"other identity", write("open", journal.IdentityPath(first), "{}\n"), "open", "does not say what the journal says"},
		{"no identity", edit("open", func(d *draft) { delete(d.files, journal.IdentityPath(first)) }), "open", "does not say what the journal says"},
		{"identity changed later", write("end", journal.IdentityPath(first), "{}\n"), "end", "what an earlier commit wrote"},
		{"runbook that is not on the default branch", replan(map[string]string{runbookPath: "steps: evil: {}\n"}), "open", "not what the default branch held"},
		{"policy that is not on the default branch", replan(map[string]string{"pullbook.cue": "policy: free: true\n"}), "open", "not what the default branch held"},
		{"package that is not on the default branch", replan(map[string]string{"snippets/evil.cue": "package evil\n"}), "open", "not what the default branch held"},
		{"plan without its runbook", replan(map[string]string{runbookPath: ""}), "open", "not in the frozen plan"},
		{"step with a file that is not on the default branch", pinned("scripts/evil", digest[:40]), "open", "scripts/evil"},
		{"step with other bytes of a file", pinned(runbookPath, digest[:40]), "open", "is not the file that"},
		{"plan with an unknown field", replan(map[string]string{"plan.json": `{"name":"x","title":"x","steps":[],"command":[],"gates":"off"}`}), "open", "unknown field"},
		{"plan with a step twice", replan(map[string]string{"plan.json": `{"name":"x","steps":[{"name":"a"},{"name":"a"}]}`}), "open", "there twice"},
		{"plan with more behind it", replan(map[string]string{"plan.json": "{} {}"}), "open", "something follows"},
	})
}

// replan changes files of the frozen plan and lets the journal and the identity name the new digest. An empty content takes
// a file out.
func replan(changes map[string]string) func(*ledger) {
	return func(l *ledger) {
		var identity []byte
		l.says["open"] = func(due []incident.Event) []any {
			opened := due[0].Data.(incident.Opened)
			frozen := map[string][]byte{runbookPath: []byte(runbookText), "pullbook.cue": []byte(policyText), "plan.json": l.skeleton()}
			for path, content := range changes {
				if frozen[path] = []byte(content); content == "" {
					delete(frozen, path)
				}
			}
			opened.Plan = journal.PlanDigest(frozen)
			identity = journal.Identity(opened)
			l.edits["open"] = func(d *draft) {
				for path := range d.files {
					if strings.HasPrefix(path, journal.PlanDir(first)) {
						delete(d.files, path)
					}
				}
				for path, content := range frozen {
					d.files[journal.PlanDir(first)+path] = content
				}
				d.files[journal.IdentityPath(first)] = identity
			}
			return []any{opened}
		}
	}
}

// pinned lets a step of the plan use a file.
func pinned(path, blob string) func(*ledger) {
	return func(l *ledger) {
		p := plan()
		p.Steps[0].Files = []runbook.File{{Path: path, Blob: blob}}
		b, err := json.Marshal(p)
		l.must(err)
		replan(map[string]string{"plan.json": string(b)})(l)
	}
}

func TestSignatures(t *testing.T) {
	begin := []byte("-----BEGIN SSH SIGNATURE-----")
	replace := func(old, with string) func(raw []byte) []byte {
		return func(raw []byte) []byte { return bytes.Replace(raw, []byte(old), []byte(with), 1) }
	}
	runMutations(t, []mutation{
		{"unsigned", edit("end", func(d *draft) { d.key = nil }), "end", "not signed"},
		{"unsigned opening", edit("open", func(d *draft) { d.key = nil }), "open", "not signed"},
		{"foreign key", edit("end", func(d *draft) { d.key = signerOf(9) }), "end", "did not allow"},
		{"message changed after signing", edit("end", func(d *draft) { d.spoil = replace("succeeded", "failed") }), "end", "signature"},
		{"author changed after signing", edit("end", func(d *draft) { d.spoil = replace("author Pullbook", "author Mallory") }), "end", "signature"},
		{"broken signature", edit("end", func(d *draft) { d.spoil = func(raw []byte) []byte { return bytes.Replace(raw, begin, begin[:20], 1) } }), "end", "signature"},
		{"last commit that cannot be read", edit("close", func(d *draft) { d.spoil = replace("\ngpgsig ", "\nencoding\ngpgsig ") }), "close", "header"},
		{"second signature header", edit("end", func(d *draft) { d.spoil = replace("\ngpgsig ", "\ngpgsig x\ngpgsig ") }), "end", "gpgsig"},
	})
}

// No change of a byte of a signed commit goes unnoticed, wherever it is.
func TestFlippedBytesOfACommit(t *testing.T) {
	size := 0
	for at := 0; at == 0 || at < size; at += 11 * fewer {
		l := newLedger(t)
		l.edits["end"] = func(d *draft) {
			d.spoil = func(raw []byte) []byte {
				size = len(raw)
				raw[at] ^= 0x01
				return raw
			}
		}
		l.begin()
		l.incident("", "group one")
		l.publish("")
		if r := verify(l, Options{Trust: trusting(1)}); r.OK() {
			t.Errorf("byte %d of %d was changed and nothing was found", at, size)
		}
	}
}

func TestAuthorsProveNothing(t *testing.T) {
	l := newLedger(t)
	l.edits["end"] = func(d *draft) { d.author = "Mallory <mallory@evil.test>" }
	l.whole()
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() {
		t.Errorf("a name in a commit is a finding: %v", r.Findings)
	}
}

func TestShape(t *testing.T) {
	event := func(seq int, kind string) string { return journal.Path(first, seq, kind) }
	runMutations(t, []mutation{
		{"file of nobody's in the directory", write("gate", first+"/notes.txt", "x"), "gate", "no event of this commit"},
		{"file outside the directory", write("gate", "README.md", "x"), "gate", "not its incident's"},
		{"file of another incident", write("gate", first[:len(first)-1]+"x/journal/0/000001-opened.json", "x"), "gate", "not its incident's"},
		{"neighbour by prefix", write("gate", first+"x/report.md", "x"), "gate", "not its incident's"},
		{"executable", edit("gate", func(d *draft) { d.modes = map[string]string{event(2, "pull-opened"): "100755"} }), "gate", "plain file"},
		{"symbolic link", edit("gate", func(d *draft) { d.modes = map[string]string{event(2, "pull-opened"): "120000"} }), "gate", "plain file"},
		{"old event edited", write("end", event(1, "opened"), "{}\n"), "end", "what an earlier commit wrote"},
		{"event left out", edit("gate", func(d *draft) { delete(d.files, event(3, "step-ended")) }), "gate", "event 3 is missing"},
		{"event edited", edit("gate", func(d *draft) {
			path := event(3, "step-ended")
			d.files[path] = bytes.Replace(d.files[path], []byte("12"), []byte("00"), 1)
		}), "gate", "another SHA-256"},
		{"commit without events", edit("approve", func(d *draft) { d.files = nil }), "approve", "there is no event"},
		{"wrong trailer Event", edit("approve", message("Event: 5-6", "Event: 5-7")), "approve", "line Event: 5-6 is due"},
		{"wrong trailer Incident", edit("approve", message("Incident: 2026", "Incident: 2025")), "approve", "Incident"},
		{"forged trailer Approved-by", edit("approve", message("(12) review 102", "(13) review 102")), "approve", "Approved-by: bob (12)"},
		{"wrong trailer Risk", edit("approve", message("Risk: change", "Risk: read")), "approve", "Risk: change"},
		{"no trailer Approved-by", edit("approve", message("Approved-by: ", "Seen-by: ")), "approve", "Approved-by"},
		{"further trailer", edit("approve", func(d *draft) { d.message += "Approved-by: carol (13) review 103\n" }), "approve", "too many"},
		{"last commit without trailers", edit("close", func(d *draft) { d.message = "the end\n" }), "close", "trailer"},
		{"last commit without trailers, unsigned", edit("close", func(d *draft) { d.message, d.key = "the end\n", nil }), "merge", "not the merge of an incident"},
		{"opening without trailers", edit("open", func(d *draft) { d.message = "incident opened\n" }), "open", "trailer"},
		{"opening without a parent", edit("open", func(d *draft) { d.parents = nil }), "open", "0 parents"},
		{"not linear", edit("end", func(d *draft) { d.parents = append(d.parents, d.parents[0]) }), "end", "2 parents"},
		{"commit skipped", func(l *ledger) {
			l.edits["end"] = func(d *draft) { d.parents = []plumbing.Hash{plumbing.NewHash(l.ids["gate"])} }
		}, "end", ""},
	})
}

func message(old, with string) func(*draft) {
	return func(d *draft) { d.message = strings.Replace(d.message, old, with, 1) }
}
