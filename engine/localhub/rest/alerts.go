package rest

import (
	"slices"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) codeAlert(x *state.CodeAlert) wire.Object { return c.host.CodeAlert(c.repo, *x) }

func listCodeAlerts(c *call) (reply, error) {
	list, err := c.Store.CodeAlerts(c.name())
	if err != nil {
		return reply{}, err
	}
	differs := func(query, value string) bool { return c.query(query) != "" && c.query(query) != value }
	list = slices.DeleteFunc(list, func(x state.CodeAlert) bool {
		return differs("state", x.State) || differs("ref", x.Ref) || differs("tool_name", x.Tool) ||
			(differs("severity", x.Severity) && differs("severity", x.Security))
	})
	return listed(c, list, func(x state.CodeAlert) wire.Object { return c.codeAlert(&x) })
}

func getCodeAlert(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.CodeAlert(c.name(), n)
	return shaped(x, err, c.codeAlert)
}

func listCodeInstances(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.CodeAlert(c.name(), n)
	if err != nil {
		return reply{}, err
	}
	return listed(c, []state.CodeAlert{*x}, c.host.CodeInstance)
}

func updateCodeAlert(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	var in struct {
		State  string `json:"state"`
		Reason string `json:"dismissed_reason"`
		Note   string `json:"dismissed_comment"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, err := c.Store.SettleCodeAlert(c.actor, c.name(), n, state.Settling(in))
	return shaped(x, err, c.codeAlert)
}

func (c *call) secretAlert(x *state.SecretAlert) wire.Object {
	return c.host.SecretAlert(c.repo, *x, c.query("hide_secret") == "true")
}

func listSecretAlerts(c *call) (reply, error) {
	list, err := c.Store.SecretAlerts(c.name())
	if err != nil {
		return reply{}, err
	}
	differs := func(query, value string) bool { return c.query(query) != "" && c.query(query) != value }
	list = slices.DeleteFunc(list, func(x state.SecretAlert) bool {
		return differs("state", x.State) || differs("secret_type", x.Type) || differs("resolution", x.Resolution)
	})
	return listed(c, list, func(x state.SecretAlert) wire.Object { return c.secretAlert(&x) })
}

func getSecretAlert(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	x, err := c.Store.SecretAlert(c.name(), n)
	return shaped(x, err, c.secretAlert)
}

func updateSecretAlert(c *call) (reply, error) {
	n, err := c.id("number")
	if err != nil {
		return reply{}, err
	}
	var in struct {
		State  string `json:"state"`
		Reason string `json:"resolution"`
		Note   string `json:"resolution_comment"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	x, err := c.Store.SettleSecretAlert(c.actor, c.name(), n, state.Settling(in))
	return shaped(x, err, c.secretAlert)
}
