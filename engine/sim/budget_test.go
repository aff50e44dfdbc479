package sim

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/github"
)

// lavish asks without a budget, and is silent when the hub asks for it.
type lavish struct{ purse }

func (lavish) Read(string) error { return nil }

func (lavish) Write(context.Context, string, github.Urgency) (func(), error) { return func() {}, nil }

// unhearing keeps to its budget, and does not hear when the hub asks for silence.
type unhearing struct{ purse }

func (unhearing) Silence(time.Time) {}

// hasty takes every read for free.
type hasty struct{ purse }

func (h hasty) Read(string) error { return nil }

// TestBudgetIsKept holds that I12 can be violated: whoever has no budget, does not count what it reads, or does not hear the hub is
// found out.
func TestBudgetIsKept(t *testing.T) {
	for name, wrap := range map[string]func(purse) purse{
		"no budget":      func(p purse) purse { return lavish{p} },
		"reads are free": func(p purse) purse { return hasty{p} },
		"no silence":     func(p purse) purse { return unhearing{p} },
	} {
		for seed := uint64(4); ; seed++ { // the first whose hub has limits
			r := Run(seed, Options{purse: wrap})
			if r.Err != nil && strings.HasPrefix(r.Err.Error(), "I12") {
				t.Logf("%s: seed %d: %v", name, seed, r.Err)
				break
			}
			if seed == 64 {
				t.Errorf("%s: I12 is not violated", name)
				break
			}
		}
	}
}
