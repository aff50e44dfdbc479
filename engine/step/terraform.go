package step

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// terraform is the work of a terraform: one configuration, by the host's tofu or terraform. The rehearsal makes a plan, and
// the step carries out that plan and no other.
type terraform struct {
	named
	Dir           string            `json:"dir"`
	Files         []string          `json:"files"` // pinned, such as modules: they are among the job's files
	Vars          map[string]any    `json:"vars"`
	VarFiles      []string          `json:"varFiles"`
	Workspace     string            `json:"workspace"`
	BackendConfig map[string]string `json:"backendConfig"`
	Binary        string            `json:"binary"` // tofu when empty
	Env           map[string]string `json:"env"`
}

const (
	planFile    = "terraform.plan"
	planChanges = 2 // exit status of plan -detailed-exitcode when something would change
)

// Terraform is the kind that plans and applies a configuration.
func (kinds) Terraform() performer { return new(terraform) }

// rehearse makes a plan and keeps it. What it puts out is the plan's digest and its text.
func (w *terraform) rehearse(ctx stepContext, a *attempt) (res result) {
	if err := a.onlyLooks(); err != nil {
		return failed("%w", err)
	}
	b, err := a.bench(w.Env)
	if err != nil {
		return failed("%w", err)
	}
	defer b.clear()
	defer func() { a.noteCut("log", a.log) }()
	t, res := w.prepare(ctx, b)
	if res.conclusion != runbook.Succeeded {
		return res
	}
	args := []string{"plan", "-input=false", "-no-color", "-lock-timeout=60s", "-detailed-exitcode", "-out=" + t.plan}
	for _, file := range w.VarFiles {
		args = append(args, "-var-file="+filepath.Join(b.place.work, filepath.FromSlash(file)))
	}
	if len(w.Vars) > 0 {
		text, err := json.Marshal(w.Vars)
		if err != nil {
			return failed("write the variables: %w", err)
		}
		file, err := b.place.write("vars.tfvars.json", text)
		if err != nil {
			return failed("%w", err)
		}
		args = append(args, "-var-file="+file)
	}
	res = t.run(ctx, nil, args...)
	changes := a.facts["exit_status"] == fmt.Sprint(planChanges)
	if res.conclusion != runbook.Succeeded && (!changes || ctx.Err() != nil) {
		return res
	}
	shown := newCapture(a.cfg.OutputLimit/2, a.veil.margin)
	if res = t.run(ctx, shown, "show", "-no-color", t.plan); res.conclusion != runbook.Succeeded {
		return res
	}
	sum, err := a.keep(t.plan)
	if err != nil {
		return failed("%w", err)
	}
	a.facts["plan_sha256"] = sum
	return a.withOutput(rehearsed{Changes: changes, Plan: sum, Text: shown.text(a.veil)})
}

// perform applies the plan that was rehearsed and approved. Its output are the configuration's outputs that are not
// sensitive, by name.
func (w *terraform) perform(ctx stepContext, a *attempt) (res result) {
	r, err := a.rehearsal()
	if err != nil {
		return failed("%w; rehearse it with /retry", err)
	}
	b, err := a.bench(w.Env)
	if err != nil {
		return failed("%w", err)
	}
	defer b.clear()
	defer func() { a.noteCut("log", a.log) }()
	plan := filepath.Join(b.place.dir, planFile)
	if err := a.kept(r.Plan, plan); err != nil {
		return failed("%w; make another one with /retry, which asks for approval of it", err)
	}
	a.facts["plan_sha256"] = r.Plan
	t, res := w.prepare(ctx, b)
	if res.conclusion != runbook.Succeeded {
		return res
	}
	res = t.run(ctx, nil, "apply", "-input=false", "-no-color", "-lock-timeout=60s", t.plan)
	if res.conclusion != runbook.Succeeded || !a.job.HasOutput {
		return res
	}
	return t.outputs(ctx)
}

// works is one configuration that is ready to be planned or applied.
type works struct {
	*bench
	dir, tool, plan string
}

func (t works) run(ctx stepContext, out *capture, args ...string) result {
	fmt.Fprintf(t.log, "$ %s %s\n", filepath.Base(t.tool), args[0])
	command := append([]string{t.tool}, args...)
	if out == nil {
		return t.bench.run(ctx, t.dir, nil, command...)
	}
	return t.bench.run(ctx, t.dir, out, command...)
}

// prepare finds the tool, initialises the configuration and selects the workspace.
func (w *terraform) prepare(ctx stepContext, b *bench) (works, result) {
	t := works{bench: b, dir: w.Dir, plan: filepath.Join(b.place.dir, planFile)}
	name := cmp.Or(w.Binary, "tofu")
	var err error
	if t.tool, err = b.tool(name, fmt.Sprintf("install %s where steps run, or name the other one with binary", name)); err != nil {
		return t, failed("%w", err)
	}
	b.env = append(b.env, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1")
	args := []string{"init", "-input=false", "-no-color"}
	if _, locked := b.job.Files[filepath.ToSlash(filepath.Join(w.Dir, ".terraform.lock.hcl"))]; locked {
		args = append(args, "-lockfile=readonly")
	}
	if len(w.BackendConfig) > 0 {
		file, err := b.place.write("backend.hcl", backendHCL(w.BackendConfig))
		if err != nil {
			return t, failed("%w", err)
		}
		args = append(args, "-backend-config="+file)
	}
	if res := t.run(ctx, nil, args...); res.conclusion != runbook.Succeeded {
		return t, res
	}
	if err := t.stateOutlives(); err != nil {
		return t, failed("%w", err)
	}
	if w.Workspace == "" {
		return t, result{conclusion: runbook.Succeeded}
	}
	return t, t.run(ctx, nil, "workspace", "select", "-or-create=true", w.Workspace)
}

// stateOutlives refuses a configuration whose state would be removed with the attempt's directory: what it made would be
// nobody's. What init found out about the backend stands in .terraform/terraform.tfstate.
func (t works) stateOutlives() error {
	const hint = "; configure a backend that other machines can reach, or one of type local with an absolute path"
	text, err := os.ReadFile(filepath.Join(t.place.work, filepath.FromSlash(t.dir), ".terraform", "terraform.tfstate"))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the configuration has no backend: its state would be lost" + hint)
	}
	var says struct {
		Backend struct {
			Type   string
			Config struct{ Path string }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &says)
	}
	if err != nil {
		return fmt.Errorf("read which backend the configuration has: %w", err)
	}
	if says.Backend.Type == "local" && !filepath.IsAbs(says.Backend.Config.Path) {
		return errors.New("the backend keeps the state in the step's own directory, where it would be lost" + hint)
	}
	return nil
}

// outputs reads the outputs of the configuration that are not sensitive.
func (t works) outputs(ctx stepContext) result {
	out := newCapture(t.cfg.OutputLimit, t.veil.margin)
	if res := t.run(ctx, out, "output", "-no-color", "-json"); res.conclusion != runbook.Succeeded {
		return res
	}
	text, whole := out.all()
	if !whole {
		return failed("the outputs of the configuration are larger than %d bytes", t.cfg.OutputLimit)
	}
	var all map[string]struct {
		Sensitive bool
		Value     json.RawMessage
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return failed("read the outputs of the configuration: %w", err)
	}
	values := map[string]json.RawMessage{}
	for name, o := range all {
		if !o.Sensitive {
			values[name] = o.Value
		}
	}
	return t.withOutput(values)
}

// backendHCL writes texts as attributes in HCL's own syntax, in which nothing is interpolated.
func backendHCL(config map[string]string) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(config)) {
		var quoted strings.Builder
		for _, c := range config[name] {
			switch {
			case c == '"' || c == '\\':
				quoted.WriteString(`\` + string(c))
			case c < ' ' || c == 0x7f:
				fmt.Fprintf(&quoted, `\u%04x`, c)
			default:
				quoted.WriteRune(c)
			}
		}
		fmt.Fprintf(&b, "%s = \"%s\"\n", name, strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quoted.String()))
	}
	return []byte(b.String())
}
