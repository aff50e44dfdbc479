package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The files in testdata/alertmanager whose names begin with firing, partly, resolved and truncated are what Alertmanager
// 0.25.0 sent; the others are made from them.
func TestGolden(t *testing.T) {
	for _, format := range []string{Alertmanager, Generic} {
		files, err := filepath.Glob(filepath.Join("testdata", format, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no test data for %s: %v", format, err)
		}
		for _, file := range files {
			t.Run(format+"/"+filepath.Base(file), func(t *testing.T) { golden(t, format, file) })
		}
	}
}

func golden(t *testing.T, format, file string) {
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	if alerts, err := Parse(format, body); err != nil {
		got = fmt.Appendf(nil, "error: %v\n", err)
	} else {
		checkBounds(t, alerts)
		got = append(marshal(t, alerts, "  "), '\n')
	}
	name := strings.TrimSuffix(file, ".json") + ".golden"
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (run go test -update)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func marshal(t *testing.T, v any, indent string) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// checkBounds holds what Parse promises of every alert.
func checkBounds(t *testing.T, alerts []incident.Alert) {
	t.Helper()
	if len(alerts) == 0 || len(alerts) > MaxMembers {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, a := range alerts {
		if a.Name == "" || len(a.Name) > MaxName || line(a.Name, MaxName) != a.Name {
			t.Errorf("name %q", a.Name)
		}
		if len(a.Group) != 64 || a.Fingerprint == "" || a.Cut < 0 || len(a.Alerts) > MaxMembers || len(a.URL) > MaxURL {
			t.Errorf("group %q, fingerprint %q, cut %d, %d members, url %q", a.Group, a.Fingerprint, a.Cut, len(a.Alerts), a.URL)
		}
		checkTexts(t, a.Labels, MaxLabels)
		checkTexts(t, a.Annotations, MaxLabels+1) // and the one that counts what was left out
		a.Digest()                                // must not panic
		for _, m := range a.Alerts {
			if m.Fingerprint == "" || len(m.Fingerprint) > MaxFingerprint {
				t.Errorf("member's fingerprint %q", m.Fingerprint)
			}
			checkTexts(t, m.Labels, MaxLabels)
			checkTexts(t, m.Annotations, MaxLabels)
		}
	}
}

func checkTexts(t *testing.T, m map[string]string, most int) {
	t.Helper()
	if m == nil || len(m) > most {
		t.Errorf("%d entries in %v", len(m), m == nil)
	}
	for name, v := range m {
		if name == "" || len(name) > MaxLabelName || len(v) > MaxValue {
			t.Errorf("%d bytes named %q", len(v), name)
		}
		for _, r := range name + v {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) && r > 0x2020) {
				t.Errorf("%q keeps %U", name, r)
			}
		}
		if !utf8.ValidString(name + v) {
			t.Errorf("%q is not UTF-8", name)
		}
	}
}

func TestValueOfOneMegabyteIsCutAndNamed(t *testing.T) {
	long := strings.Repeat("é", 500_000) // 1,000,000 bytes, and the bound falls inside a character
	body := marshal(t, map[string]any{"name": "A", "labels": map[string]string{"x": long}}, "")
	alerts, err := Parse(Generic, body)
	if err != nil {
		t.Fatal(err)
	}
	got := alerts[0].Labels["x"]
	mark := fmt.Sprintf("… [cut, sha256 %x]", sha256.Sum256([]byte(long)))
	if rest, ok := strings.CutSuffix(got, mark); !ok || !strings.HasPrefix(long, rest) || len(got) > MaxValue || len(got) < MaxValue-1 {
		t.Errorf("%d bytes, ends in %q", len(got), got[len(got)-90:])
	}
	if again := value(got); again != got {
		t.Error("a cut value is cut again")
	}
}

func TestBodyAboveTheBoundIsRefused(t *testing.T) {
	for _, format := range []string{Alertmanager, Generic} {
		if _, err := Parse(format, bytes.Repeat([]byte(" "), MaxBody+1)); err == nil || !strings.HasPrefix(err.Error(), "body: larger") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// notification is a body of Alertmanager's with the given members.
func notification(t *testing.T, change func(map[string]any), members ...map[string]any) []byte {
	t.Helper()
	n := map[string]any{
		"version": "4", "receiver": "r", "groupKey": "{}:{}", "status": "firing", "alerts": members, "truncatedAlerts": 0,
		"commonLabels": map[string]string{"alertname": "A"}, "commonAnnotations": map[string]string{}, "externalURL": "http://am/",
	}
	if change != nil {
		change(n)
	}
	return marshal(t, n, "")
}

func parseOne(t *testing.T, format string, body []byte) incident.Alert {
	t.Helper()
	alerts, err := Parse(format, body)
	if err != nil {
		t.Fatal(err)
	}
	checkBounds(t, alerts)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	return alerts[0]
}

func TestMembersBeyondTheBoundAreCountedAndFiringOnesKept(t *testing.T) {
	var members []map[string]any
	for i := range 300 {
		status := "resolved"
		if i >= 290 {
			status = "firing"
		}
		members = append(members, map[string]any{"status": status, "fingerprint": fmt.Sprintf("%03d", i)})
	}
	truncate := func(n map[string]any) { n["truncatedAlerts"] = 7 }
	a := parseOne(t, Alertmanager, notification(t, truncate, members...))
	if len(a.Alerts) != MaxMembers || a.Cut != 57 {
		t.Errorf("%d members, %d cut", len(a.Alerts), a.Cut)
	}
	for i, m := range a.Alerts[:10] {
		if m.Status != incident.Firing || m.Fingerprint != fmt.Sprint(290+i) {
			t.Errorf("member %d is %s, %s", i, m.Fingerprint, m.Status)
		}
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	x := map[string]any{"status": "firing", "fingerprint": "x", "labels": map[string]string{"alertname": "X"}}
	y := map[string]any{"status": "firing", "fingerprint": "y", "generatorURL": "http://prometheus/graph"}
	one := parseOne(t, Alertmanager, notification(t, nil, x, y))
	two := parseOne(t, Alertmanager, notification(t, nil, y, x))
	if one.Digest() != two.Digest() {
		t.Error("a repeat in another order has another digest")
	}
	if one.URL != "http://prometheus/graph" {
		t.Errorf("url %q", one.URL)
	}
}

// A workload that can add labels to its own alert must not be able to keep the alert from being answered.
func TestLabelsOfAWorkloadNeverRefuseANotification(t *testing.T) {
	labels := map[string]string{"alertname": "Z", "": "empty", strings.Repeat("n", 129): "long", "a\x1b[2J": "ansi"}
	for i := range 100 {
		labels[fmt.Sprintf("Label%02d", i)] = strings.Repeat("\x00", 100)
	}
	member := map[string]any{"status": "firing", "labels": labels, "generatorURL": "javascript:alert(1)", "fingerprint": "\n"}
	a := parseOne(t, Alertmanager, notification(t, nil, member))
	m := a.Alerts[0]
	if len(m.Labels) != MaxLabels || m.Labels["alertname"] != "Z" || m.Labels["Label00"] != strings.Repeat("\uFFFD", 100) {
		t.Errorf("%d labels, %q", len(m.Labels), m.Labels["Label00"])
	}
	if note := a.Annotations[leftOut]; !strings.HasPrefix(note, "40 labels") {
		t.Errorf("note %q", note)
	}
	if a.URL != "http://am/" {
		t.Errorf("url %q", a.URL)
	}
}

func TestGroupKeys(t *testing.T) {
	member := map[string]any{"status": "firing"}
	with := func(key, v string) string {
		return parseOne(t, Alertmanager, notification(t, func(n map[string]any) { n[key] = v }, member)).Group
	}
	same := with("externalURL", "http://am-1/")
	if same != with("externalURL", "http://am-2/") || same != with("status", "resolved") {
		t.Error("the group depends on the replica or the status")
	}
	generic := func(body string) string { return parseOne(t, Generic, []byte(body)).Group }
	groups := []string{
		same, with("receiver", "other"), with("groupKey", "other"),
		generic(`{"name":"A"}`), generic(`{"name":"A","group":"A"}`), generic(`{"name":"A","fingerprint":"A"}`),
		generic(`{"name":"A","labels":{"a":"b"}}`), generic(`{"name":"A","labels":{"ab":""}}`),
	}
	seen := map[string]int{}
	for i, g := range groups {
		if j, twice := seen[g]; twice {
			t.Errorf("groups %d and %d are the same", i, j)
		}
		seen[g] = i
	}
	if generic(`{"name":"A","group":"g","status":"resolved"}`) != generic(`{"name":"B","group":"g","labels":{"x":"y"}}`) {
		t.Error("a given group is not the only thing that counts")
	}
}

func TestBombs(t *testing.T) {
	many := func(n int, entry string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, entry, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, body := range map[string]string{
		"nested deeper than": strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"exceeded max depth": strings.Repeat("[", 500_000),
		"more than 100000":   "[" + strings.Repeat("0,", 500_000) + "0]",
		"65 entries":         `{"name":"A","labels":{` + many(65, `"l%d":"",`) + `}}`,
		"list of 251":        "[" + many(251, `{"name":"A%d"},`) + "]",
		"longer than 128":    `{"name":"A","labels":{"` + strings.Repeat("l", 129) + `":""}}`,
		"longer than 256":    `{"name":"` + strings.Repeat("l", 257) + `"}`,
	} {
		_, err := Parse(Generic, []byte(body))
		if err == nil || !strings.Contains(err.Error(), name) || len(err.Error()) > 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsQuoteForeignTextShortAndPlain(t *testing.T) {
	hostile := strings.Repeat("\x1b[31m\u202e@team\n", 1000)
	for _, body := range []any{
		map[string]any{"name": "A", hostile: 1},
		map[string]any{"name": "A", "status": hostile},
		map[string]any{"name": "A", "starts_at": hostile},
		map[string]any{"name": "A", "labels": map[string]any{hostile: 1}},
	} {
		_, err := Parse(Generic, marshal(t, body, ""))
		if err == nil || len(err.Error()) > 600 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%v", err)
		}
	}
	if _, err := Parse("grafana", nil); err == nil || !strings.HasPrefix(err.Error(), `format: "grafana" is not known`) {
		t.Errorf("%v", err)
	}
}
