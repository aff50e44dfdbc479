package main

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// regionsRunbook opens another runbook for each region that a step finds.
const regionsRunbook = `title: "Look at each region"
match: labels: service: "regions"
alert: _
steps: {
	find: {risk: "read", exec: command: ["sh", "-c", "echo '{\"regions\": [\"eu\", \"us\"]}'"], output: regions: [...string]}
	look: {
		risk: "read"
		each: find.output.regions
		key:  item
		runbook: {name: "region", with: region: item}
		output: [string]: {end: string, steps: where: name: string}
	}
}
`

const regionRunbook = `title: "Look at \(inputs.region)"
inputs: region: "eu" | "us"
alert: _
steps: where: {risk: "read", exec: {command: ["sh", "-c", "printf '{\"name\": \"%s\"}' $REGION"], env: REGION: inputs.region}, output: name: string}
`

// TestChildOfEach plays a runbook that opens another one for each element of a list: each has its own value and puts out its
// own, and all of them verify.
func TestChildOfEach(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/regions.cue": regionsRunbook, "runbooks/region.cue": regionRunbook}})
	s.serve(t)
	seen := s.await(t, s.raise(t, alarm{Name: "Regions", Labels: map[string]string{"service": "regions"}}), "the parent is merged", sight.merged)
	look, _ := seen.ended("look")
	if want := `{"eu":{"end":"resolved","steps":{"where":{"name":"eu"}}},"us":{"end":"resolved","steps":{"where":{"name":"us"}}}}`; string(look.Output) != want {
		t.Errorf("the template put out %s, want %s", look.Output, want)
	}
	if n := count[incident.ChildOpened](seen); n != 2 {
		t.Errorf("%d children are recorded", n)
	}
	s.verify(t, 3)
}
