package cueval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"

	"github.com/pullbook/pullbook/engine/runbook"
)

// issuedSecret are the forms of secrets that begin with a mark of their issuer, so that nothing else is taken for one. Each is
// in the issuer's documentation on its tokens, and a group of its own; issuers names the groups.
var issuedSecret = regexp.MustCompile(
	`(-----BEGIN [A-Z ]*PRIVATE KEY-----)` + "|" +
		`(\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)` + "|" +
		`(\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}))` + "|" +
		`(\bglpat-[A-Za-z0-9_-]{20,})` + "|" +
		`(\bxox[abeoprs]-[A-Za-z0-9-]{10,})` + "|" +
		`(hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+)` + "|" +
		`(\bAIza[A-Za-z0-9_-]{35})` + "|" +
		`(\b[rs]k_live_[A-Za-z0-9]{20,})` + "|" +
		`(\bnpm_[A-Za-z0-9]{36})` + "|" +
		`(\bhvs\.[A-Za-z0-9_-]{20,})` + "|" +
		`(\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,})` + "|" +
		`(\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})` + "|" +
		`(\b[a-z][a-z0-9+.-]*://[^/\s:@$]+:[^/\s:@$]+@)`)

func issuers() []string {
	return []string{
		"a private key",
		"an access key of AWS",
		"a token of GitHub",
		"a token of GitLab",
		"a token of Slack",
		"a webhook of Slack",
		"a key of Google",
		"a key of Stripe",
		"a token of npm",
		"a token of HashiCorp Vault",
		"a key of SendGrid",
		"a JSON Web Token",
		"a password in an address",
	}
}

// secretName are the names of what holds a secret: DB_PASSWORD, api_key, githubToken. A name that goes on, as in TOKEN_FILE, is
// of something else.
var secretName = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|api_?key|private_?key|access_?key|credentials?)$`)

// authHeader are headers that hold a secret.
var authHeader = regexp.MustCompile(`(?i)^(proxy-)?authorization$|^(x-)?[a-z-]*(api-?key|auth-?token|access-?token)$`)

// secretFlag is an argument that holds a secret.
var secretFlag = regexp.MustCompile(`(?i)^--?[a-z-]*(password|passwd|secret|token|api-?key)=(.+)$`)

const clearHint = "name it in secrets, and refer to it as $NAME where it is needed"

// secretsIn reports secrets that stand in clear in a runbook, in pullbook.cue, or in the packages that they import. It looks
// at the texts as they are written, so that none is missed because no step uses it.
func secretsIn(lib *library, name string) (ps []runbook.Problem) {
	text, _ := lib.runbook(name)
	if text == nil {
		return nil
	}
	for _, n := range lib.texts(text) {
		f, ok := n.(*ast.File)
		if !ok {
			continue // unreachable: those are files
		}
		ps = append(ps, clearTexts(f, f.Decls, nil)...)
	}
	return ps
}

// clearTexts walks through declarations with the names that lead there.
func clearTexts(f *ast.File, decls []ast.Decl, path []string) (ps []runbook.Problem) {
	for _, d := range decls {
		switch x := d.(type) {
		case *ast.Field:
			name, _ := labelName(x.Label)
			ps = append(ps, clearIn(f, x.Value, extend(path, name))...)
		case *ast.LetClause:
			ps = append(ps, clearIn(f, x.Expr, extend(path, x.Ident.Name))...)
		case *ast.EmbedDecl:
			ps = append(ps, clearIn(f, x.Expr, path)...)
		case *ast.Comprehension:
			ps = append(ps, clearIn(f, x.Value, path)...)
		}
	}
	return ps
}

func clearIn(f *ast.File, e ast.Node, path []string) (ps []runbook.Problem) {
	ast.Walk(e, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.StructLit:
			ps = append(ps, clearTexts(f, x.Elts, path)...)
			return false
		case *ast.BasicLit:
			text, err := literal.Unquote(x.Value)
			if err != nil { // a number, or a part of an interpolation
				text = x.Value
			}
			if what := secretHere(text, path); what != "" {
				p := problemAt(x.Pos(), strings.Join(path, "."), fmt.Sprintf("%s stands here in clear", what))
				p.Hint = clearHint
				ps = append(ps, p)
			}
		}
		return true
	}, nil)
	return ps
}

// secretHere says which secret a text is, if it is one: by its own form, or by the name under which it stands.
func secretHere(text string, path []string) string {
	for i, group := range issuedSecret.FindStringSubmatch(text) {
		if i > 0 && group != "" {
			return issuers()[i-1]
		}
	}
	if len(path) < 2 || !plainSecret(text) {
		return ""
	}
	name, above := path[len(path)-1], path[len(path)-2]
	switch {
	case above == "headers" && authHeader.MatchString(name),
		slices.Contains([]string{"env", "extraVars", "vars", "backendConfig"}, above) && secretName.MatchString(name):
		return "the secret " + name
	case name == "command":
		if m := secretFlag.FindStringSubmatch(text); m != nil && plainSecret(m[2]) {
			return "a secret"
		}
	}
	return ""
}

// plainSecret reports whether a text under the name of a secret can be one: it refers to no variable, and is no path, no
// address and no word that says that there is none.
func plainSecret(text string) bool {
	switch strings.ToLower(text) {
	case "", "true", "false", "none", "null", "default", "0", "1":
		return false
	}
	return !strings.ContainsAny(text, "$\n") && !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "./") && !strings.Contains(text, "://")
}
