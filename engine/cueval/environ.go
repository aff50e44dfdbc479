package cueval

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// steers are the variables that tell a loader, a shell, an interpreter or a well-known tool what else to load, run or
// trust. Their values are an author's in every step that has an env: an alert that sets one would choose what runs. The list cannot be whole;
// of a step that says read the organisation lists what may be set instead, see readEnv.
var steers = regexp.MustCompile(`^((LD|DYLD|GIT|BASH|PYTHON|PERL|PERL5|RUBY|GEM|BUNDLE|NODE|NPM|NPM_CONFIG|JAVA|JDK_JAVA|_JAVA|MAVEN|GRADLE|DOTNET|CORECLR|COR|COMPLUS|PHP|LUA|R|ANSIBLE|TF|HELM|DOCKER|SSH|XDG)_[A-Z0-9_]*|` +
	`PYTHON[A-Z]+|PERL5[A-Z]+|PERLLIB|RUBY[A-Z]+|KUBECONFIG|GCONV_PATH|GLIBC_TUNABLES|OPENSSL_CONF|OPENSSL_ENGINES|OPENSSL_MODULES|CURL_HOME|CLASSPATH|PSQLRC|PSQL_[A-Z]+|` +
	`PATH|HOME|ENV|IFS|PS4|SHELL|SHELLOPTS|BASHOPTS|CDPATH|GLOBIGNORE|FPATH|ZDOTDIR|PROMPT_COMMAND|NLSPATH|LOCPATH|TERMINFO|TMPDIR|PAGER|MANPAGER|SYSTEMD_PAGER|EDITOR|VISUAL|BROWSER|LESSOPEN|LESSCLOSE|HOSTALIASES|HTTP_PROXY|HTTPS_PROXY|ALL_PROXY)$`)

// maySet reports whether a step that says read may set a variable.
func (o organisation) maySet(name string) bool {
	return !o.restricted || slices.Contains(o.readEnv, name)
}

const (
	readEnvText     = "%s is not among the variables that a step with risk: \"read\" may set"
	rehearseEnvText = "%s is not among the variables that what only reads may set, and a rehearsal runs before anybody has agreed"
	steeringText    = "%s can choose what else a program runs, so its value must be written out"
	steeringHint    = "no output, alert or input has a part in it"
)

// readEnv refuses variables by which a program that only reads could be made to do more. A secret reaches it as one too.
func (s *skeleton) readEnv(text string) {
	refuse := func(name string, at ...string) {
		if !s.doc.org.maySet(name) {
			s.problem(fmt.Sprintf(text, name), "see readEnv in "+organisationFile, at...)
		}
	}
	eachRegular(s.env(), func(at cue.Selector, _ cue.Value) { refuse(at.Unquoted(), "exec", "env", at.Unquoted()) })
	secrets := field(field(s.doc.step(s.doc.static(), s.step.Name), "exec"), "secrets")
	for i, name := range textsOf(secrets) {
		refuse(name, entry(secrets, i, []string{"exec", "secrets"})...)
	}
}

func (s *skeleton) env() cue.Value {
	return envOf(s.doc.step(s.doc.static(), s.step.Name), s.step.Kind)
}

// steering refuses variables that steer programs and whose values are not the author's, as far as that is known before
// anything runs.
func (s *skeleton) steering() {
	eachRegular(s.env(), func(at cue.Selector, now cue.Value) {
		name := at.Unquoted()
		if steers.MatchString(name) && !s.doc.authoredEnv(s.step, name, now) {
			s.problem(fmt.Sprintf(steeringText, name), steeringHint, string(s.step.Kind), "env", name)
		}
	})
}

// authoredEnv reports whether the value of a variable is known without outputs, alert and inputs, and is that.
func (d *document) authoredEnv(s runbook.Step, name string, now cue.Value) bool {
	was := field(envOf(d.step(d.inputless(), s.Name), s.Kind), name)
	return was.Validate(cue.Concrete(true)) == nil && sameValue(was, now)
}

func envOf(step cue.Value, kind runbook.Kind) cue.Value {
	return field(field(step, string(kind)), "env")
}

// strangeEnv reports a variable that the step may not set, or whose value comes from an output, the alert or an input and
// steers programs. Names can be computed, so that is known for sure only here.
func (d *document) strangeEnv(s runbook.Step, says map[string]any) (p runbook.Problem, found bool) {
	env, _ := says["env"].(map[string]any) // a kind whose env is something else has none that a program gets
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value, _ := env[name].(string)
		text, hint := "", ""
		switch {
		case s.Kind == runbook.KindExec && s.Risk == runbook.RiskRead && !d.org.maySet(name):
			text, hint = fmt.Sprintf(readEnvText, name), "see readEnv in "+organisationFile
		case steers.MatchString(name) && !d.wroteEnv(s, name, value):
			text, hint = fmt.Sprintf(steeringText, name), steeringHint
		default:
			continue
		}
		p = d.placeIn(s.Name, string(s.Kind), "env", name)
		p.Text, p.Hint = text, hint
		return p, true
	}
	return p, false
}

// wroteEnv reports whether a variable has the value that its author wrote.
func (d *document) wroteEnv(s runbook.Step, name, value string) bool {
	was, err := field(envOf(d.step(d.inputless(), s.Name), s.Kind), name).String()
	return err == nil && was == value
}
