package rest

import (
	"net/http"
	"strconv"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func getApp(c *call) (reply, error) {
	o := c.host.App(*c.actor.App)
	o["installations_count"] = len(c.Store.Installations(c.actor.App.ID))
	return ok(o)
}

func getAppBySlug(c *call) (reply, error) {
	a, err := c.Store.AppBySlug(c.params["slug"])
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.App(*a))
}

func listInstallations(c *call) (reply, error) {
	return listed(c, c.Store.Installations(c.actor.App.ID), c.host.Installation)
}

func getInstallation(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	in, err := c.Store.Installation(c.actor.App.ID, id)
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Installation(*in))
}

func getRepoInstallation(c *call) (reply, error) {
	in, err := c.Store.InstallationOn(c.actor.App.ID, c.name())
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Installation(*in))
}

func createToken(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if len(in.Repositories)+len(in.RepositoryIDs) > 500 {
		return reply{}, state.Unprocessable("Repository count must be less than or equal to 500.")
	}
	g, err := c.Store.GrantToken(c.actor, id, state.Narrowing{
		Repositories: in.Repositories, RepositoryIDs: in.RepositoryIDs, Permissions: in.Permissions,
	})
	if err != nil {
		return reply{}, err
	}
	return created(c.host.Token(g))
}

func revokeToken(c *call) (reply, error) {
	if err := c.Store.Revoke(credential(c.r)); err != nil {
		return reply{}, err
	}
	return empty()
}

func listInstallationRepos(c *call) (reply, error) {
	r, err := counted(c, "repositories", c.Store.InstallationRepos(c.actor), c.host.Repo)
	if body, isObject := r.body.(wire.Object); isObject {
		selection := "all"
		if c.actor.Repositories != nil {
			selection = "selected"
		}
		body["repository_selection"] = selection
	}
	return r, err
}

func getHook(c *call) (reply, error) { return ok(c.host.Hook(c.actor.App.Hook)) }

func updateHook(c *call) (reply, error) {
	var in struct {
		URL    *string `json:"url"`
		Secret *string `json:"secret"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	h, err := c.Store.SetHook(c.actor.App.ID, in.URL, in.Secret)
	if err != nil {
		return reply{}, err
	}
	if in.URL != nil {
		app := *c.actor.App
		app.Hook = h
		c.Deliverer.Ping(&app, string(c.host))
	}
	return ok(c.host.Hook(h))
}

func listDeliveries(c *call) (reply, error) {
	per := min(positive(c.query("per_page"), usualPage), maxPage)
	var before int64
	if text := c.query("cursor"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return reply{}, state.Unprocessable("Invalid cursor")
		}
		before = n
	}
	list, err := c.Store.Deliveries(c.actor.App.ID, before, per+1)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: http.StatusOK}
	if len(list) > per {
		list = list[:per]
		r.link = "<" + c.host.API("/app/hook/deliveries?per_page=%d&cursor=%d", per, list[per-1].ID) + `>; rel="next"`
	}
	r.body = wire.List(list, c.host.DeliveryItem)
	return r, nil
}

func delivery(c *call) (*state.Delivery, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, err
	}
	return c.Store.Delivery(c.actor.App.ID, id)
}

func getDelivery(c *call) (reply, error) {
	d, err := delivery(c)
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Delivery(*d))
}

func redeliver(c *call) (reply, error) {
	d, err := delivery(c)
	if err != nil {
		return reply{}, err
	}
	c.Deliverer.Redeliver(c.actor.App, d)
	return reply{status: http.StatusAccepted, body: wire.Object{}}, nil
}
