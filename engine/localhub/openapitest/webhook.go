package openapitest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// theWebhooks is the description of webhooks (npm @octokit/openapi-webhooks), read once in a process; nil when it is not
// installed.
var theWebhooks = sync.OnceValues(func() (*description, error) {
	root := os.Getenv(Env)
	if root == "" {
		return nil, nil
	}
	return load(filepath.Join(root, "node_modules", "@octokit", "openapi-webhooks", "generated", "api.github.com.json"))
})

// Webhook checks one delivery, headers and payload, and fails the test where it is not as GitHub describes it.
func Webhook(t testing.TB, header http.Header, payload []byte) {
	t.Helper()
	d, err := theWebhooks()
	if err != nil {
		t.Error(err)
		return
	}
	if d == nil {
		return
	}
	for _, v := range d.webhook(header, payload) {
		t.Errorf("webhook %s: %s", header.Get("X-GitHub-Event"), v)
	}
}

func (d *description) webhook(header http.Header, payload []byte) []string {
	body, err := decoded(payload)
	if err != nil {
		return []string{err.Error()}
	}
	name := d.webhookName(header.Get("X-GitHub-Event"), body)
	op, err := d.operation(name, "post")
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, p := range op.op.Parameters {
		if p.Value.Required && header.Get(p.Value.Name) == "" {
			out = append(out, fmt.Sprintf("%s: header %s is missing", op.id(), p.Value.Name))
		}
	}
	schema := op.op.RequestBody.Value.Content["application/json"].Schema.Value
	options := []openapi3.SchemaValidationOption{openapi3.MultiErrors(), openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("uri", uriFormat{})}
	if err := schema.VisitJSON(body, options...); err != nil {
		out = append(out, op.told("payload", err)...)
	}
	return slices.DeleteFunc(out, func(v string) bool { return pardoned(op.id(), v) })
}

// webhookName is the description's name for an event: "pull-request-opened", or "push" where there are no actions. The
// action of a repository_dispatch is anybody's word; the description has one as a sample.
func (d *description) webhookName(event string, body any) string {
	action := ""
	if o, ok := body.(map[string]any); ok {
		action, _ = o["action"].(string)
	}
	dashed := strings.NewReplacer("_", "-").Replace
	if event == "repository_dispatch" {
		action = "sample.collected"
	}
	for _, name := range []string{dashed(event) + "-" + dashed(action), dashed(event)} {
		if d.paths[name]["post"] != nil {
			return name
		}
	}
	return dashed(event + " " + action)
}
