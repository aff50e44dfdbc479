package rest

import (
	"encoding/json"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// rulesetBody is the body of creating and of updating a ruleset; what an update leaves out stays.
type rulesetBody struct {
	Name        *string         `json:"name"`
	Target      *string         `json:"target"`
	Enforcement *string         `json:"enforcement"`
	Bypass      *[]state.Bypass `json:"bypass_actors"`
	Conditions  *struct {
		Refs struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules *[]state.Rule `json:"rules"`
}

func (b rulesetBody) onto(x state.Ruleset) state.Ruleset {
	if b.Name != nil {
		x.Name = *b.Name
	}
	if b.Target != nil {
		x.Target = *b.Target
	}
	if b.Enforcement != nil {
		x.Enforcement = *b.Enforcement
	}
	if b.Conditions != nil {
		x.Include, x.Exclude = b.Conditions.Refs.Include, b.Conditions.Refs.Exclude
	}
	if b.Rules != nil {
		x.Rules = *b.Rules
	}
	if b.Bypass != nil {
		x.Bypass = append([]state.Bypass(nil), *b.Bypass...)
		for i := range x.Bypass {
			if x.Bypass[i].Mode == "" {
				x.Bypass[i].Mode = "always"
			}
		}
	}
	return x
}

// ruleset shows who may bypass only to those who may write the ruleset, as GitHub does.
func (c *call) ruleset(x *state.Ruleset, full bool) (wire.Object, error) {
	api := c.host.API("/repos/%s/rulesets/%d", c.name(), x.ID)
	o := wire.Object{
		"id": x.ID, "name": x.Name, "target": x.Target, "source_type": "Repository", "source": c.name(), "enforcement": x.Enforcement,
		"node_id": "RRS_" + itoa(x.ID), "created_at": x.Created.Format(time.RFC3339), "updated_at": x.Updated.Format(time.RFC3339),
		"_links": wire.Object{"self": wire.Object{"href": api}, "html": wire.Object{"href": c.host.Page("/%s/rules/%d", c.name(), x.ID)}},
	}
	if !full {
		return o, nil
	}
	bypass, err := c.Store.Bypasses(c.actor, c.name(), *x)
	if err != nil {
		return nil, err
	}
	o["current_user_can_bypass"] = bypass
	o["conditions"] = wire.Object{"ref_name": wire.Object{"include": orEmpty(x.Include), "exclude": orEmpty(x.Exclude)}}
	o["rules"] = wire.List(x.Rules, ruleObject)
	need := state.Need{App: []string{adminWrite}, Role: state.Admin}
	if _, err := c.Store.Check(c.actor, c.name(), need); err == nil {
		o["bypass_actors"] = wire.List(x.Bypass, func(b state.Bypass) wire.Object {
			return wire.Object{"actor_id": b.Actor, "actor_type": b.Type, "bypass_mode": b.Mode}
		})
	}
	return o, nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func ruleObject(x state.Rule) wire.Object {
	o := wire.Object{"type": x.Type}
	if len(x.Parameters) > 0 {
		o["parameters"] = json.RawMessage(x.Parameters)
	}
	return o
}

func listRulesets(c *call) (reply, error) {
	list, err := c.Store.Rulesets(c.name())
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, func(x state.Ruleset) wire.Object {
		o, _ := c.ruleset(&x, false) // the short form asks nothing that could fail
		return o
	})
}

func (c *call) rulesetByID() (*state.Ruleset, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Ruleset(c.name(), id)
}

func getRuleset(c *call) (reply, error) {
	x, err := c.rulesetByID()
	if err != nil {
		return reply{}, err
	}
	o, err := c.ruleset(x, true)
	if err != nil {
		return reply{}, err
	}
	return ok(o)
}

func (c *call) saveRuleset(onto state.Ruleset) (wire.Object, error) {
	var b rulesetBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	x, err := c.Store.SaveRuleset(c.name(), b.onto(onto))
	if err != nil {
		return nil, err
	}
	return c.ruleset(x, true)
}

func createRuleset(c *call) (reply, error) {
	o, err := c.saveRuleset(state.Ruleset{Target: "branch"})
	if err != nil {
		return reply{}, err
	}
	return created(o)
}

func updateRuleset(c *call) (reply, error) {
	x, err := c.rulesetByID()
	if err != nil {
		return reply{}, err
	}
	o, err := c.saveRuleset(*x)
	if err != nil {
		return reply{}, err
	}
	return ok(o)
}

func deleteRuleset(c *call) (reply, error) {
	x, err := c.rulesetByID()
	if err != nil {
		return reply{}, err
	}
	return gone(c.Store.DropRuleset(c.name(), x.ID))
}

func listBranchRules(c *call) (reply, error) {
	list, err := c.Store.BranchRules(c.name(), c.params["branch"])
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, func(x state.ActiveRule) wire.Object {
		o := ruleObject(x.Rule)
		o["ruleset_source_type"], o["ruleset_source"], o["ruleset_id"] = "Repository", c.name(), x.Ruleset
		return o
	})
}
