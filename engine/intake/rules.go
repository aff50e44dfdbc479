package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxRules is the size of the largest file of rules that is read, in bytes.
const maxRules = 8 << 20

// Rules reads the alerting rules of a file as Prometheus has them
// (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/), or of Kubernetes objects of the kind
// PrometheusRule, several in one file. A rule tells what its alerts will be as far as that stands in the file: the name, and
// labels and annotations that hold no template. Other labels come from the rule's expression, and may be anything. Only what
// is needed is read; whether Prometheus would take the file is not asked.
func Rules(name string, text []byte) ([]runbook.AlertRule, error) {
	if len(text) > maxRules {
		return nil, fmt.Errorf("read the rules in %s: has %d bytes; at most %d are read", name, len(text), maxRules)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var out []runbook.AlertRule
	for {
		var f ruleFile
		err := dec.Decode(&f)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the rules in %s: %w", name, err)
		}
		for _, g := range append(f.Groups, f.Spec.Groups...) {
			for _, r := range g.Rules {
				if r.Alert.Value != "" { // others record
					out = append(out, r.alert(name, g.Labels))
				}
			}
		}
	}
}

type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
	Spec   struct {
		Groups []ruleGroup `yaml:"groups"`
	} `yaml:"spec"`
}

type ruleGroup struct {
	Labels map[string]string `yaml:"labels"` // of all rules that do not say otherwise
	Rules  []rule            `yaml:"rules"`
}

type rule struct {
	Alert       yaml.Node         `yaml:"alert"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// alert is what Alertmanager will say of a rule's alerts, by the names of an alert's fields.
func (r rule) alert(file string, shared map[string]string) runbook.AlertRule {
	a := runbook.AlertRule{At: runbook.Spot{File: file, Line: r.Alert.Line, Column: r.Alert.Column},
		Fields: map[string]string{"name": r.Alert.Value, "source": "alertmanager", "labels." + alertname: r.Alert.Value}}
	for _, some := range []struct {
		above string
		texts map[string]string
	}{{"labels.", shared}, {"labels.", r.Labels}, {"annotations.", r.Annotations}} {
		for name, text := range some.texts {
			if delete(a.Fields, some.above+name); !strings.Contains(text, "{{") {
				a.Fields[some.above+name] = text
			}
		}
	}
	return a
}
