package intake

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// amRoute is a route of an Alertmanager's configuration, as far as it tells what a group of alerts is called. The rules are those of
// https://prometheus.io/docs/alerting/latest/configuration/#route; the key is what package dispatch makes of a route since version 0.22.
type amRoute struct {
	Receiver string            `yaml:"receiver"`
	GroupBy  []string          `yaml:"group_by"`
	Match    map[string]string `yaml:"match"`
	MatchRE  map[string]string `yaml:"match_re"`
	Matchers []string          `yaml:"matchers"`
	Continue bool              `yaml:"continue"`
	Wait     string            `yaml:"group_wait"`
	Muted    []string          `yaml:"mute_time_intervals"`
	Active   []string          `yaml:"active_time_intervals"`
	Routes   []*amRoute        `yaml:"routes"`

	key      string
	matchers []amMatcher
	wait     time.Duration
}

// everyLabel in group_by groups by all labels.
const everyLabel = "..."

// parseRoutes reads the routes of a configuration.
func parseRoutes(config string) (*amRoute, error) {
	var c struct {
		Route *amRoute `yaml:"route"`
	}
	if err := yaml.Unmarshal([]byte(config), &c); err != nil {
		return nil, fmt.Errorf("read Alertmanager's configuration: %w", err)
	}
	if c.Route == nil {
		return nil, fault("Alertmanager's configuration", "has no route", "is this an Alertmanager?")
	}
	if c.Route.Wait == "" {
		c.Route.Wait = "30s"
	}
	return c.Route, c.Route.complete(nil)
}

// complete fills in what a route inherits. Only the root's parent is nil.
func (r *amRoute) complete(parent *amRoute) error {
	if parent != nil {
		r.Receiver, r.Wait = cmp.Or(r.Receiver, parent.Receiver), cmp.Or(r.Wait, parent.Wait)
		r.key = parent.key + "/"
		if len(r.GroupBy) == 0 {
			r.GroupBy = parent.GroupBy
		}
	}
	var err error
	if r.wait, err = amDuration(r.Wait); err != nil {
		return err
	}
	for name, value := range r.Match {
		r.matchers = append(r.matchers, amMatcher{name: name, op: "=", value: value})
	}
	for name, value := range r.MatchRE {
		r.matchers = append(r.matchers, amMatcher{name: name, op: "=~", value: value})
	}
	for _, text := range r.Matchers {
		more, err := parseMatchers(text)
		if err != nil {
			return err
		}
		r.matchers = append(r.matchers, more...)
	}
	slices.SortFunc(r.matchers, func(a, b amMatcher) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value), cmp.Compare(a.rank(), b.rank()))
	})
	texts := make([]string, len(r.matchers))
	for i := range r.matchers {
		m := &r.matchers[i]
		if err := m.compile(); err != nil {
			return err
		}
		texts[i] = m.name + m.op + `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(m.value) + `"`
	}
	r.key += "{" + strings.Join(texts, ",") + "}"
	for _, child := range r.Routes {
		if child == nil {
			continue
		}
		if err := child.complete(r); err != nil {
			return err
		}
	}
	return nil
}

// of returns the routes that an alert with these labels takes.
func (r *amRoute) of(labels map[string]string) (taken []*amRoute) {
	if r == nil || slices.ContainsFunc(r.matchers, func(m amMatcher) bool { return !m.matches(labels) }) {
		return nil
	}
	for _, child := range r.Routes {
		further := child.of(labels)
		taken = append(taken, further...)
		if len(further) > 0 && !child.Continue {
			break
		}
	}
	if len(taken) == 0 {
		return []*amRoute{r}
	}
	return taken
}

// leadsTo tells whether some alert may go to a receiver.
func (r *amRoute) leadsTo(receiver string) bool {
	return r != nil && (r.Receiver == receiver || slices.ContainsFunc(r.Routes, func(c *amRoute) bool { return c.leadsTo(receiver) }))
}

// group returns the labels by which the route groups an alert.
func (r *amRoute) group(labels map[string]string) map[string]string {
	if slices.Contains(r.GroupBy, everyLabel) {
		return labels
	}
	out := map[string]string{}
	for _, name := range r.GroupBy {
		if value, has := labels[name]; has {
			out[name] = value
		}
	}
	return out
}

// groupKey is the groupKey of a notification about a group.
func (r *amRoute) groupKey(group map[string]string) string {
	pairs := make([]string, 0, len(group))
	for _, name := range slices.Sorted(maps.Keys(group)) {
		pairs = append(pairs, name+"="+strconv.Quote(group[name]))
	}
	return r.key + ":{" + strings.Join(pairs, ", ") + "}"
}

// amMatcher is one condition of a route. A label that an alert does not have is empty.
type amMatcher struct {
	name, op, value string
	re              *regexp.Regexp // nil: the whole value is compared
}

func (m amMatcher) rank() int { return slices.Index([]string{"=", "!=", "=~", "!~"}, m.op) }

func (m *amMatcher) compile() (err error) {
	if strings.Contains(m.op, "~") {
		if m.re, err = regexp.Compile("^(?:" + m.value + ")$"); err != nil {
			return fault("Alertmanager's matcher", quote(m.value)+" is no regular expression", "is its configuration sound?")
		}
	}
	return nil
}

func (m amMatcher) matches(labels map[string]string) bool {
	is := labels[m.name] == m.value
	if m.re != nil {
		is = m.re.MatchString(labels[m.name])
	}
	return is != strings.HasPrefix(m.op, "!")
}

var matcherText = regexp.MustCompile(`^\s*(?:([^\s"={}~!,]+)|"((?:[^"\\]|\\.)*)")\s*(=~|!=|!~|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}]*?))\s*(?:,|$)`)

// parseMatchers reads conditions such as service=~"check.*", or several of them between braces.
func parseMatchers(text string) (out []amMatcher, err error) {
	rest := strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		rest = strings.TrimSpace(strings.TrimSuffix(inner, "}"))
	}
	for rest != "" {
		m := matcherText.FindStringSubmatch(rest)
		if m == nil {
			return nil, fault("Alertmanager's matcher", quote(text)+" is not understood", `it is known as name="value", also with !=, =~ or !~`)
		}
		unquote := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
		out = append(out, amMatcher{name: m[1] + unquote.Replace(m[2]), op: m[3], value: unquote.Replace(m[4]) + m[5]})
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	return out, nil
}

var durationText = regexp.MustCompile(`(\d+)(ms|[smhdwy])`)

// amDuration reads a duration as Prometheus writes it: that of Go with days, weeks and years.
func amDuration(s string) (total time.Duration, err error) {
	const day = 24 * time.Hour
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day, "y": 365 * day}
	if s != "0" && durationText.ReplaceAllString(s, "") != "" {
		return 0, fault("Alertmanager's group_wait", quote(s)+" is no duration", "is its configuration sound?")
	}
	for _, part := range durationText.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(part[1], 10, 32)
		if err != nil {
			return 0, fault("Alertmanager's group_wait", quote(s)+" is too long", "is its configuration sound?")
		}
		total += time.Duration(n) * units[part[2]]
	}
	return total, nil
}
