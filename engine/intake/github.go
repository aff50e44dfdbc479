package intake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

// GitHub is the source of the alerts that are made of the hub's own events.
const GitHub = "github"

// IncidentLabel is the label of issues that are alerts.
const IncidentLabel = "incident"

// Bounds of a repository_dispatch ("Create a repository dispatch event" in GitHub's description of its REST API).
const (
	maxDispatched = 64<<10 - 1 // characters of client_payload
	maxKeys       = 10         // of client_payload
)

// Events lists the events of the hub of which alerts can be made.
func Events() []string {
	return []string{"code_scanning_alert", "deployment_status", "issues", "repository_dispatch", "secret_scanning_alert", "workflow_run"}
}

// Event makes an alert of a verified webhook of the hub, in the generic format; nil if the event says of no problem that it
// began or is over. An error is safe to show. What began and what ended a problem have the same fingerprint. See the package comment for what each event becomes.
func Event(kind string, body []byte) ([]byte, error) {
	if !slices.Contains(Events(), kind) {
		return nil, nil
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fault("body", "is not what GitHub sends for "+quote(kind), "send it again")
	}
	if e.Repository.FullName == "" {
		return nil, fault("repository", "is missing", "only events of repositories are alerts")
	}
	var a *made
	switch kind {
	case "issues":
		a = e.issue()
	case "deployment_status":
		a = e.deployment()
	case "workflow_run":
		a = e.run()
	case "secret_scanning_alert":
		a = e.secret()
	case "code_scanning_alert":
		a = e.code()
	case "repository_dispatch":
		return e.dispatch()
	}
	if a == nil {
		return nil, nil
	}
	return a.text(kind, e)
}

// FromHub reads the alert that was made of an event, after the organisation's intake has had its say.
func FromHub(generic []byte) (incident.Alert, error) {
	root, err := decode(generic)
	if err != nil {
		return incident.Alert{}, err
	}
	return genericAlert(GitHub, "alert", root)
}

// event is all that is read of the events ("Webhook events and payloads" in GitHub's documentation).
type event struct {
	Action     string `json:"action"`
	Ref        string `json:"ref"`
	Repository struct {
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
	Label struct{ Name string } `json:"label"`
	Issue struct {
		Number      int                     `json:"number"`
		Title       string                  `json:"title"`
		Body        string                  `json:"body"`
		URL         string                  `json:"html_url"`
		Updated     string                  `json:"updated_at"`
		Association string                  `json:"author_association"`
		User        struct{ Login string }  `json:"user"`
		Labels      []struct{ Name string } `json:"labels"`
		PullRequest json.RawMessage         `json:"pull_request"`
	} `json:"issue"`
	Status struct {
		State       string `json:"state"`
		Description string `json:"description"`
		Target      string `json:"target_url"`
		Created     string `json:"created_at"`
	} `json:"deployment_status"`
	Deployment struct {
		Environment string `json:"environment"`
		Task        string `json:"task"`
		Ref         string `json:"ref"`
		SHA         string `json:"sha"`
	} `json:"deployment"`
	Workflow struct{ Name, Path string } `json:"workflow"`
	Run      struct {
		Event      string `json:"event"`
		Branch     string `json:"head_branch"`
		SHA        string `json:"head_sha"`
		Conclusion string `json:"conclusion"`
		URL        string `json:"html_url"`
		Started    string `json:"run_started_at"`
		Created    string `json:"created_at"`
		Head       struct {
			FullName string `json:"full_name"`
		} `json:"head_repository"`
	} `json:"workflow_run"`
	Alert struct {
		Number     int    `json:"number"`
		URL        string `json:"html_url"`
		Created    string `json:"created_at"`
		SecretType string `json:"secret_type"`
		SecretName string `json:"secret_type_display_name"`
		Rule       struct {
			ID          string `json:"id"`
			Severity    string `json:"severity"`
			Security    string `json:"security_severity_level"`
			Description string `json:"description"`
		} `json:"rule"`
		Tool struct{ Name string } `json:"tool"`
	} `json:"alert"`
	Payload json.RawMessage `json:"client_payload"`
}

// made is an alert in the generic format.
type made struct {
	Name        string            `json:"name"`
	Group       string            `json:"group,omitempty"`
	Status      string            `json:"status"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	URL         string            `json:"url,omitempty"`
	StartsAt    string            `json:"starts_at,omitempty"`
	problem     []string          // what tells it apart from other problems of its event and repository
}

// text writes the alert. Labels that say nothing are left out, and texts are bounded here already, since the organisation's
// intake is evaluated with them.
func (a *made) text(kind string, e event) ([]byte, error) {
	a.Labels["event"], a.Labels["repository"] = kind, e.Repository.FullName
	for _, m := range []map[string]string{a.Labels, a.Annotations} {
		for name, text := range m {
			if m[name] = value(text); text == "" {
				delete(m, name)
			}
		}
	}
	key := append([]string{kind, e.Repository.FullName}, a.problem...)
	a.Fingerprint = digest(key...)[:16]
	a.Group = strings.Join(append([]string{"github"}, key...), " ")
	if link(a.URL) != nil {
		a.URL = ""
	}
	return json.Marshal(a)
}

// saying is the status of a problem that is there now, or not any more.
func saying(now bool) string {
	if now {
		return string(incident.Firing)
	}
	return string(incident.ResolvedNow)
}

var keyed = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_.-]*)[:=/] ?(.+)$`)

// issue is an alert while it is open and has the label. Labels such as service:checkout become labels of the alert.
func (e event) issue() *made {
	is := e.Issue
	has := slices.ContainsFunc(is.Labels, func(l struct{ Name string }) bool { return strings.EqualFold(l.Name, IncidentLabel) })
	lost := e.Action == "unlabeled" && strings.EqualFold(e.Label.Name, IncidentLabel)
	began := e.Action == "opened" || e.Action == "reopened" || e.Action == "labeled" && strings.EqualFold(e.Label.Name, IncidentLabel)
	over := lost || slices.Contains([]string{"closed", "deleted", "transferred"}, e.Action)
	if is.Number <= 0 || len(is.PullRequest) > 0 && string(is.PullRequest) != "null" || !has && !lost || !began && !over {
		return nil
	}
	number := fmt.Sprint(is.Number)
	a := &made{Name: "Issue", Status: saying(began), URL: is.URL, StartsAt: is.Updated, problem: []string{number}, Labels: map[string]string{},
		Annotations: map[string]string{"summary": line(is.Title, MaxValue), "body": is.Body}}
	for _, l := range is.Labels {
		if m := keyed.FindStringSubmatch(l.Name); m != nil && len(a.Labels) < MaxLabels/2 {
			a.Labels[m[1]] = m[2]
		}
	}
	a.Labels["issue"], a.Labels["author"], a.Labels["association"] = number, is.User.Login, is.Association
	return a
}

// deployment is an alert while the latest status of its environment is a failure.
func (e event) deployment() *made {
	d, failed := e.Deployment, slices.Contains([]string{"failure", "error"}, e.Status.State)
	if !failed && e.Status.State != "success" {
		return nil
	}
	return &made{Name: "DeploymentFailed", Status: saying(failed), StartsAt: e.Status.Created, problem: []string{d.Environment, d.Task},
		Labels:      map[string]string{"environment": d.Environment, "task": d.Task, "ref": d.Ref},
		Annotations: map[string]string{"summary": line(fmt.Sprintf("The deployment of %s to %s: %s", d.Ref, d.Environment, e.Status.State), MaxValue), "description": e.Status.Description, "target": e.Status.Target, "commit": d.SHA}}
}

// run is an alert while the latest run of its workflow on the default branch has failed. Runs for other repositories, which can
// have a branch of that name, are none.
func (e event) run() *made {
	r := e.Run
	failed := slices.Contains([]string{"failure", "timed_out", "startup_failure"}, r.Conclusion)
	if e.Action != "completed" || r.Branch == "" || r.Branch != e.Repository.DefaultBranch || r.Head.FullName != e.Repository.FullName ||
		strings.HasPrefix(r.Event, "pull_request") || !failed && r.Conclusion != "success" {
		return nil
	}
	return &made{Name: "WorkflowFailed", Status: saying(failed), URL: r.URL, StartsAt: cmp.Or(r.Started, r.Created), problem: []string{e.Workflow.Path, r.Branch},
		Labels:      map[string]string{"workflow": e.Workflow.Name, "path": e.Workflow.Path, "branch": r.Branch, "trigger": r.Event},
		Annotations: map[string]string{"summary": line(fmt.Sprintf("%s on %s: %s", e.Workflow.Name, r.Branch, r.Conclusion), MaxValue), "commit": r.SHA}}
}

// secret is an alert from its finding to its resolution. The secret itself is not read.
func (e event) secret() *made {
	began := slices.Contains([]string{"created", "reopened", "publicly_leaked"}, e.Action)
	if !began && e.Action != "resolved" || e.Alert.Number <= 0 {
		return nil
	}
	number := fmt.Sprint(e.Alert.Number)
	return &made{Name: "SecretLeaked", Status: saying(began), URL: e.Alert.URL, StartsAt: e.Alert.Created, problem: []string{number},
		Labels:      map[string]string{"number": number, "secret_type": e.Alert.SecretType},
		Annotations: map[string]string{"summary": line("A secret was found: "+cmp.Or(e.Alert.SecretName, e.Alert.SecretType), MaxValue)}}
}

// code is an alert while a finding is open on the default branch.
func (e event) code() *made {
	began := slices.Contains([]string{"created", "reopened", "reopened_by_user", "appeared_in_branch"}, e.Action)
	over := slices.Contains([]string{"fixed", "closed_by_user"}, e.Action)
	if e.Alert.Number <= 0 || !began && !over || began && e.Ref != "refs/heads/"+e.Repository.DefaultBranch {
		return nil
	}
	number, rule := fmt.Sprint(e.Alert.Number), e.Alert.Rule
	return &made{Name: "CodeScanning", Status: saying(began), URL: e.Alert.URL, StartsAt: e.Alert.Created, problem: []string{number},
		Labels:      map[string]string{"number": number, "rule": rule.ID, "severity": cmp.Or(rule.Security, rule.Severity), "tool": e.Alert.Tool.Name},
		Annotations: map[string]string{"summary": line(rule.Description, MaxValue)}}
}

// dispatch is whatever its sender says: the member alert of client_payload, in the generic format, or an alert that is called
// as the event's type, with the other members as its labels.
func (e event) dispatch() ([]byte, error) {
	const place = "client_payload"
	if len(e.Payload) > maxDispatched {
		return nil, fault(place, fmt.Sprintf("has %d characters", len(e.Payload)), fmt.Sprintf("GitHub takes at most %d: send an address instead", maxDispatched))
	}
	root, err := decode(orEmpty(e.Payload))
	if err != nil {
		return nil, err
	}
	f := fieldsOf(place, root)
	if f.err != nil {
		return nil, f.err
	}
	if len(f.of) > maxKeys {
		return nil, fault(place, fmt.Sprintf("has %d keys", len(f.of)), fmt.Sprintf("GitHub takes at most %d: put some into an object", maxKeys))
	}
	if alert, given := f.of["alert"].(map[string]any); given {
		f.only("alert")
		if f.err != nil {
			return nil, f.err
		}
		return json.Marshal(alert)
	}
	return e.loose(f)
}

// loose makes an alert of members that are no alert.
func (e event) loose(f fields) ([]byte, error) {
	a := &made{Name: line(e.Action, MaxName), Status: saying(true), Labels: map[string]string{}, Annotations: map[string]string{}}
	for name, into := range map[string]*string{"group": &a.Group, "status": &a.Status, "fingerprint": &a.Fingerprint, "url": &a.URL, "starts_at": &a.StartsAt} {
		if _, given := f.of[name]; given {
			*into = f.text(name)
		}
		delete(f.of, name)
	}
	for name, v := range f.of {
		switch v := v.(type) {
		case string:
			a.Labels[name] = value(v)
		case json.Number, bool:
			a.Labels[name] = fmt.Sprint(v)
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("write %s again: %w", quote(name), err) // unreachable: it was read from JSON
			}
			a.Annotations[name] = value(string(text))
		}
	}
	a.Labels["event"], a.Labels["repository"] = "repository_dispatch", e.Repository.FullName
	if f.err != nil {
		return nil, f.err
	}
	return json.Marshal(a)
}

// orEmpty is an empty object where nothing was sent.
func orEmpty(payload json.RawMessage) []byte {
	if len(payload) == 0 || string(payload) == "null" {
		return []byte("{}")
	}
	return payload
}
