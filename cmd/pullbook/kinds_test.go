package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// kindsRunbook tells people, opens an issue, runs a playbook in check mode and then for good, and applies a plan.
const kindsRunbook = `title: "Grow the disk of \(alert.labels.host)"
match: labels: service: "kinds"
alert: _
steps: {
	file: {
		ticket: {title: "@bob: \(alert.labels.host) is full", body: "Find out why. #1 \(alert.annotations.summary)", labels: ["incident"]}
		output: {number: int, url: string}
	}
	told: update: {audience: ["oncall"], title: "Disk", text: "See \(file.output.url)\n\(alert.annotations.summary)"}
	grow: {
		needs: ["told"]
		approval: from: ["acme/sre"]
		terraform: {
			dir: "infra/disk"
			vars: {host: alert.labels.host, size: 20}
			backendConfig: path: "STATE"
		}
		output: size: int
	}
	note: {
		approval: from: ["acme/sre"]
		ansible: {
			playbook: "ansible/note.yaml", inventory: "ansible/hosts", limit: ["web-1"]
			extraVars: {target: "TARGET", size: grow.output.size, said: alert.annotations.summary}
		}
		output: {changed: int, hosts: [string]: {changed: int, ...}}
	}
}
finally: over: {
	when: steps.note.status == "succeeded"
	notify: {channel: "oncall", title: "Over", text: "\(steps.note.output.changed) changed"}
}
`

const kindsTerraform = `terraform {
  backend "local" {}
}
variable "host" {}
variable "size" { type = number }
resource "terraform_data" "disk" { input = "${var.host} has ${var.size} GB" }
output "size" { value = var.size }
`

const kindsPlaybook = `- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {dest: "{{ target }}", content: "{{ size }} {{ said }}\n", mode: "0600"}
`

// postOffice starts the mail server of the step's tests and returns its port and what it gets.
func postOffice(t *testing.T) (port string, mails *bufio.Scanner) {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import aiosmtpd").Run(); err != nil {
		t.Skip("needs python3-aiosmtpd: ", err)
	}
	cmd := exec.Command(python, "../../engine/step/testdata/smtpd.py", "plain")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	mails = bufio.NewScanner(out)
	if !mails.Scan() {
		t.Fatal("the mail server did not start: ", mails.Err())
	}
	return mails.Text(), mails
}

// mail is the next one.
func nextMail(t *testing.T, mails *bufio.Scanner) (data string) {
	t.Helper()
	var got struct{ Data string }
	if !mails.Scan() || json.Unmarshal(mails.Bytes(), &got) != nil {
		t.Fatalf("no mail came: %v %q", mails.Err(), mails.Text())
	}
	return got.Data
}

// TestKinds plays one incident on the real tools: a mail server, Terraform's free twin, and Ansible. What people approve is the
// plan and the differences; what is carried out is that, and the alert's text runs nowhere.
func TestKinds(t *testing.T) {
	for _, tool := range []string{"git", "tofu", "ansible-playbook"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	t.Parallel()
	port, mails := postOffice(t)
	dir := t.TempDir()
	target, canary := filepath.Join(dir, "note"), filepath.Join(dir, "canary")
	text := strings.NewReplacer("STATE", filepath.Join(dir, "state"), "TARGET", target).Replace(kindsRunbook)
	organisation := fmt.Sprintf(`command: ["acme/sre"]
channels: oncall: email: {smtp: "localhost:%s", tls: "none", from: "pullbook@acme.example", to: ["oncall@acme.example"]}
`, port)
	s := newScene(t, stage{files: map[string]string{"pullbook.cue": organisation, "runbooks/kinds.cue": text, "infra/disk/main.tf": kindsTerraform,
		"ansible/note.yaml": kindsPlaybook, "ansible/hosts": "web-1 ansible_connection=local\nweb-2 ansible_connection=local\n"}})
	s.serve(t)
	evil := "{{ lookup('ansible.builtin.pipe', 'touch " + canary + "') }} $(touch " + canary + ") @alice"
	group := s.raise(t, alarm{Name: "Kinds", Labels: map[string]string{"service": "kinds", "host": "web-1"}, Annotations: map[string]string{"summary": evil}})

	seen := s.await(t, group, "the plan is to be approved", func(v sight) bool { return count[incident.GateOpened](v) > 0 })
	page := s.gatePage(t, seen, "grow")
	planned, _ := seen.ended("grow_rehearsal")
	var plan struct{ Plan string }
	if err := json.Unmarshal(planned.Output, &plan); err != nil || len(plan.Plan) != 64 {
		t.Fatalf("the rehearsal put out %s: %v", planned.Output, err)
	}
	for _, want := range []string{"terraform_data.disk will be created", `+ input  = "web-1 has 20 GB"`, plan.Plan, "1 to add", `"path": "infra/disk/main.tf"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of grow does not show %q:\n%s", want, page)
		}
	}
	s.picture(t, "kinds", seen.pull.GetHTMLURL())
	s.issueIs(t, evil)
	if mail := nextMail(t, mails); !strings.Contains(mail, "Subject: Disk") || !strings.Contains(mail, "/acme/ops/issues/") || !strings.Contains(mail, "/acme/ops/pull/") {
		t.Errorf("the mail is %s", mail)
	}
	kept, err := filepath.Glob(filepath.Join(s.world.dir, "engine", "kept", "*", plan.Plan))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the plan is kept as %v, %v", kept, err)
	}
	for i, step := range []string{"grow", "note"} {
		seen = s.await(t, group, "the gate of "+step+" opens", func(v sight) bool { return count[incident.GateOpened](v) > i })
		if step == "note" {
			if page := s.gatePage(t, seen, "note"); !strings.Contains(page, "+20 {{ lookup(") {
				t.Errorf("the page of note does not show the difference:\n%s", page)
			}
		}
		if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve "+step); err != nil {
			t.Fatal(err)
		}
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	for _, step := range []string{"file", "told", "grow_rehearsal", "grow", "note_rehearsal", "note", "over"} {
		if got, _ := seen.ended(step); got.Conclusion != runbook.Succeeded {
			t.Errorf("%s ended %q: %s", step, got.Conclusion, got.Error)
		}
	}
	if applied, _ := seen.ended("grow"); applied.Facts["plan_sha256"] != plan.Plan || string(applied.Output) != `{"size":20}` {
		t.Errorf("grow applied %v and put out %s", applied.Facts, applied.Output)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "20 "+evil+"\n" {
		t.Errorf("the playbook wrote %q, %v", got, err)
	}
	if mail := nextMail(t, mails); !strings.Contains(mail, "Subject: Over") || !strings.Contains(mail, "1 changed") {
		t.Errorf("the mail is %s", mail)
	}
	if _, err := os.Lstat(canary); err == nil {
		t.Error("the text of the alert ran")
	}
	waitFor(t, "the plan is forgotten", func() bool { _, err := os.Lstat(kept[0]); return os.IsNotExist(err) })
	s.verify(t, 1)
}

// issueIs checks the one issue that the step opened.
func (s *scene) issueIs(t *testing.T, said string) {
	t.Helper()
	c, err := s.world.client("alice")
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := c.Issues.ListByRepo(t.Context(), demoOwner, demoName, nil)
	if err != nil {
		t.Fatal(err)
	}
	issues := 0
	for _, is := range all {
		if is.IsPullRequest() {
			continue
		}
		issues++
		body := is.GetBody()
		if len(is.Labels) != 1 || strings.Contains(is.GetTitle(), "@bob") || strings.Contains(body, "@alice") || strings.Contains(body, "#1") || !strings.Contains(body, "```text\nFind out why.") {
			t.Errorf("issue %q with %v:\n%s", is.GetTitle(), is.Labels, body)
		}
	}
	if issues != 1 {
		t.Errorf("%d issues were opened about %q", issues, said)
	}
}
