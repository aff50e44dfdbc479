package step

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ansible is the work of an ansible: one playbook, by the host's ansible-playbook.
type ansible struct {
	named
	Playbook  string            `json:"playbook"`
	Inventory string            `json:"inventory"`
	Files     []string          `json:"files"` // pinned: they are among the job's files
	Limit     []string          `json:"limit"` // hosts and groups; all of the playbook's when empty
	Tags      []string          `json:"tags"`
	ExtraVars map[string]any    `json:"extraVars"`
	Check     *bool             `json:"check"` // whether it is rehearsed, which is settled before a runner gets it
	Env       map[string]string `json:"env"`
}

// Ansible is the kind that runs a playbook.
func (kinds) Ansible() performer { return new(ansible) }

// hostStats is what a playbook did to one host.
type hostStats struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Failures    int `json:"failures"`
	Unreachable int `json:"unreachable"`
	Skipped     int `json:"skipped"`
}

//go:embed ansible_stats.py
var ansibleStats string

// perform runs the playbook. Its output is {"changed": number, "hosts": {name: {"ok", "changed", "failures", "unreachable",
// "skipped"}}}; its log is what ansible-playbook says, with differences.
func (w *ansible) perform(ctx stepContext, a *attempt) result {
	res, hosts := w.play(ctx, a)
	a.noteCut("log", a.log)
	if res.conclusion != runbook.Succeeded || !a.job.HasOutput {
		return res
	}
	return a.withOutput(map[string]any{"changed": changes(hosts), "hosts": hosts})
}

// rehearse runs the playbook in check mode, which says what would change, as far as its author kept to that.
func (w *ansible) rehearse(ctx stepContext, a *attempt) result {
	if err := a.onlyLooks(); err != nil {
		return failed("%w", err)
	}
	res, hosts := w.play(ctx, a, "--check")
	if res.conclusion != runbook.Succeeded {
		a.noteCut("log", a.log)
		return res
	}
	text := a.log.text(a.veil)
	a.noteCut("log", a.log)
	return a.withOutput(rehearsed{Changes: changes(hosts) > 0, Text: text})
}

func changes(hosts map[string]hostStats) (n int) {
	for _, h := range hosts {
		n += h.Changed
	}
	return n
}

// play runs the playbook once. A playbook that reached no host has failed: nobody meant that.
func (w *ansible) play(ctx stepContext, a *attempt, more ...string) (res result, hosts map[string]hostStats) {
	b, err := a.bench(w.Env)
	if err != nil {
		return failed("%w", err), nil
	}
	defer b.clear()
	command, stats, err := w.command(b)
	if err != nil {
		return failed("%w", err), nil
	}
	res = b.run(ctx, ".", nil, slices.Concat(command, more, []string{w.Playbook})...)
	text, err := os.ReadFile(stats)
	if err == nil {
		err = json.Unmarshal(text, &hosts)
	}
	bad := 0
	for _, h := range hosts {
		if h.Failures+h.Unreachable > 0 {
			bad++
		}
	}
	a.facts["hosts"], a.facts["hosts_failed"] = strconv.Itoa(len(hosts)), strconv.Itoa(bad)
	switch {
	case res.conclusion == runbook.Failed && bad > 0:
		return failed("the playbook failed on %d of %d hosts: %s", bad, len(hosts), strings.Join(failing(hosts), ", ")), hosts
	case res.conclusion != runbook.Succeeded:
		return res, hosts
	case err != nil:
		return failed("read what the playbook did: %w", err), nil
	case len(hosts) == 0:
		return failed("the playbook reached no host"), nil
	}
	return res, hosts
}

func failing(hosts map[string]hostStats) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		if h := hosts[name]; h.Failures+h.Unreachable > 0 {
			names = append(names, name)
		}
	}
	return names
}

// command prepares what ansible-playbook is started with, up to the playbook, and says where the statistics will be.
func (w *ansible) command(b *bench) (command []string, stats string, err error) {
	tool, err := b.tool("ansible-playbook", "install ansible-core (apt-get install ansible-core) where steps run")
	if err != nil {
		return nil, "", err
	}
	plugins := filepath.Join(b.place.dir, "callbacks")
	if err := os.Mkdir(plugins, ownerOnly); err != nil {
		return nil, "", fmt.Errorf("make a directory for ansible: %w", err)
	}
	if _, err := b.place.write(filepath.Join("callbacks", "pullbook_stats.py"), []byte(ansibleStats)); err != nil {
		return nil, "", err
	}
	stats = filepath.Join(b.place.dir, "stats.json")
	b.env = append(b.env, "ANSIBLE_CALLBACK_PLUGINS="+plugins, "ANSIBLE_CALLBACKS_ENABLED=pullbook_stats", "PULLBOOK_ANSIBLE_STATS="+stats,
		"ANSIBLE_STDOUT_CALLBACK=default", "ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0", "PYTHONDONTWRITEBYTECODE=1",
		"ANSIBLE_LOCAL_TEMP="+b.place.tmp, "ANSIBLE_HOME="+b.place.tmp)
	command = []string{tool, "--diff", "--inventory", w.Inventory}
	if len(w.Limit) > 0 {
		command = append(command, "--limit", strings.Join(w.Limit, ","))
	}
	if len(w.Tags) > 0 {
		command = append(command, "--tags", strings.Join(w.Tags, ","))
	}
	if len(w.ExtraVars) > 0 {
		text, err := inertYAML(w.ExtraVars)
		if err != nil {
			return nil, "", err
		}
		file, err := b.place.write("extra-vars.yaml", text)
		if err != nil {
			return nil, "", err
		}
		command = append(command, "--extra-vars", "@"+file)
	}
	return command, stats, nil
}

// inertYAML writes values as YAML in which every text is tagged !unsafe: Ansible takes other texts for templates, and a
// template runs programs. Apart from the tag it is JSON.
func inertYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	switch x := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, name := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				b.WriteString(", ")
			}
			text, err := inertYAML(x[name])
			if err != nil {
				return nil, err
			}
			b.Write(quotedYAML(name))
			b.WriteString(": ")
			b.Write(text)
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, one := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			text, err := inertYAML(one)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
		b.WriteByte(']')
	case string:
		b.WriteString("!unsafe ")
		b.Write(quotedYAML(x))
	default:
		text, err := json.Marshal(x)
		if err != nil {
			return nil, fmt.Errorf("write the extra variables: %w", err)
		}
		b.Write(text)
	}
	return b.Bytes(), nil
}

// quotedYAML writes a text in double quotes with everything but plain characters escaped (YAML 1.1, section 5.7).
func quotedYAML(s string) []byte {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\U%08x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.Bytes()
}
