package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// A Redeliverer sends webhooks again.
type Redeliverer interface {
	// Redeliver queues a logged delivery of the App once more. It does not wait for the answer.
	Redeliver(app *state.App, d *state.Delivery)
}

type deliveriesPage struct {
	App   state.App
	Rows  []deliveryRow
	Older string // address; empty: these are the oldest
	First bool   // the newest are shown
}

type deliveryRow struct {
	state.Delivery
	Mark, Word string
}

// shownDeliveries is how many deliveries one page lists.
const shownDeliveries = 100

// app is the App of the path, if the viewer manages it: payloads tell of repositories that others may not see.
func (v *visit) app() (state.App, error) {
	for _, a := range v.Store.ManagedApps(v.actor.User) {
		if a.Slug == v.r.PathValue("slug") {
			return a, nil
		}
	}
	return state.App{}, state.NotFound()
}

func toDeliveries(v *visit) error {
	a, err := v.app()
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/apps/"+a.Slug+"/deliveries", http.StatusFound)
	return nil
}

func deliveries(v *visit) error {
	a, err := v.app()
	if err != nil {
		return err
	}
	before, err := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0 // from the newest
	}
	list, err := v.Store.Deliveries(a.ID, before, shownDeliveries+1)
	if err != nil {
		return err
	}
	p := deliveriesPage{App: a, First: before == 0}
	if len(list) > shownDeliveries {
		list = list[:shownDeliveries]
		p.Older = fmt.Sprintf("?before=%d", list[len(list)-1].ID)
	}
	for _, d := range list {
		p.Rows = append(p.Rows, rowOf(d))
	}
	return v.show("deliveries", "Deliveries to "+a.Name, http.StatusOK, p)
}

func rowOf(d state.Delivery) deliveryRow {
	row := deliveryRow{Delivery: d, Mark: "bad", Word: d.Status}
	if d.Code != 0 {
		row.Word = strings.TrimSpace(fmt.Sprintf("%d %s", d.Code, d.Status))
	}
	if d.Code >= 200 && d.Code < 300 {
		row.Mark = "ok"
	}
	return row
}

type deliveryPage struct {
	App state.App
	deliveryRow
	Repository           string
	Request, Answer      []header
	Payload, PayloadSize string
	Cut                  bool
}

type header struct{ Name, Value string }

// shownPayload is how many bytes of a payload a page shows.
const shownPayload = 256 << 10

func (v *visit) delivery() (state.App, *state.Delivery, error) {
	a, err := v.app()
	if err != nil {
		return a, nil, err
	}
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return a, nil, state.NotFound()
	}
	d, err := v.Store.Delivery(a.ID, id)
	return a, d, err
}

func delivery(v *visit) error {
	a, d, err := v.delivery()
	if err != nil {
		return err
	}
	p := deliveryPage{App: a, deliveryRow: rowOf(*d), Request: sorted(d.Headers), Answer: sorted(d.ReplyHeaders), PayloadSize: size(int64(len(d.Payload)))}
	for _, r := range v.Store.Repos(v.actor) {
		if r.ID == d.Repository {
			p.Repository = r.FullName()
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, d.Payload, "", "  "); err != nil {
		return fmt.Errorf("show the payload of delivery %d: %w", d.ID, err)
	}
	p.Payload = b.String()
	if len(p.Payload) > shownPayload {
		p.Payload, p.Cut = strings.ToValidUTF8(p.Payload[:shownPayload], ""), true
	}
	return v.show("delivery", "Delivery "+d.GUID, http.StatusOK, p)
}

func sorted(h map[string]string) []header {
	var out []header
	for _, name := range slices.Sorted(maps.Keys(h)) {
		out = append(out, header{name, h[name]})
	}
	return out
}

func postRedeliver(v *visit) error {
	a, d, err := v.delivery()
	if err != nil {
		return err
	}
	v.Redeliverer.Redeliver(&a, d)
	http.Redirect(v.w, v.r, "/apps/"+a.Slug+"/deliveries", http.StatusSeeOther)
	return nil
}

func took(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1ms"
	}
	return d.Round(time.Millisecond).String()
}
