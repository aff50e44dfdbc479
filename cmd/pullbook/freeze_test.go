package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// freezeRunbook changes something while a freeze is on, tells people again and again, and opens another runbook for each of
// two regions, which waits for people.
const freezeRunbook = `title:  "Drain \(alert.labels.host)"
match: labels: service: "freeze"
alert: _
owners: ["acme/sre"]
service: "checkout"
why:    "A host that is out of memory answers slowly for minutes before it dies."
byHand: "Take the host out of the balancer, then restart it."
steps: {
	told: update: {audience: "board", text: "We are on it.", every: "1m"}
	drain: {
		needs: ["told"]
		title:  "Take \(alert.labels.host) out of the balancer"
		why:    "Nobody must be sent to a host that is being restarted."
		byHand: "In the balancer: drain \(alert.labels.host)"
		noUndo: "the host comes back by itself once it is healthy"
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["true"]
	}
	look: {
		risk: "read"
		each: ["eu", "us"]
		key:  item
		title: "Look at \(item)"
		runbook: {name: "region", with: region: item}
	}
}
`

const freezePolicy = `name: "acme"
command: ["acme/sre"]
services: checkout: {title: "Checkout", owners: ["acme/sre"]}
channels: board: webhook: url: %q
freezes: [{
	from: "2020-12-24T12:00:00Z", to: "2120-12-27T00:00:00Z", why: "holidays: nobody is there to repair it"
	services: ["checkout"]
	approval: {from: ["bob"], count: 1}
}]
`

const askedRunbook = `title: "Look at \(inputs.region)"
inputs: region: "eu" | "us"
alert: _
steps: where: manual: task: "Say whether \(inputs.region) is healthy"
`

// TestFreezeIsShown: people see why they are asked, by whose rule, and what goes on beside; the freeze needs its own people.
func TestFreezeIsShown(t *testing.T) {
	t.Parallel()
	board := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(board.Close)
	s := newScene(t, stage{files: map[string]string{"runbooks/freeze.cue": freezeRunbook, "runbooks/region.cue": askedRunbook,
		"pullbook.cue": fmt.Sprintf(freezePolicy, board.URL)}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "MemoryFull", Labels: map[string]string{"service": "freeze", "host": "web-1"}})
	seen := s.await(t, group, "the update is asked for", func(v sight) bool { return count[incident.GateOpened](v) == 1 && count[incident.ChildOpened](v) == 2 })
	page := s.gatePage(t, seen, "told")
	for _, part := range []string{"The calendar demands a part of the approval:", "holidays: nobody is there to repair it", "bob"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q:\n%s", part, page)
		}
	}
	say := func(who, step string) {
		if err := s.world.review(t.Context(), who, seen.pull.GetNumber(), "/approve "+step); err != nil {
			t.Fatal(err)
		}
	}
	s.picture(t, "freeze-told", seen.pull.GetHTMLURL())
	say("bob", "told")
	seen = s.await(t, group, "the change is asked for, and the pull request says so", func(v sight) bool {
		return count[incident.GateOpened](v) == 2 && strings.Contains(v.pull.GetBody(), "change freeze")
	})
	s.picture(t, "freeze-drain", seen.pull.GetHTMLURL())
	body := seen.pull.GetBody()
	for _, part := range []string{"A host that is out of memory", "Take the host out of the balancer"} {
		if !strings.Contains(body, part) {
			t.Errorf("the pull request does not say %q:\n%s", part, body)
		}
	}
	say("alice", "drain")
	say("bob", "drain")
	s.await(t, group, "the change is made", func(v sight) bool { return v.started("drain") })
}
