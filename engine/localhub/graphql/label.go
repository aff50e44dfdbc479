package graphql

import (
	"context"
	"net/url"
	"sort"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// label is GitHub's Label.
type label struct {
	r *repository
	l state.Label
}

// Color is six hexadecimal digits.
func (l *label) Color() string { return l.l.Color }

// CreatedAt is not kept.
func (l *label) CreatedAt() *dateTime { return nil }

// UpdatedAt is not kept.
func (l *label) UpdatedAt() *dateTime { return nil }

// Description is what the label says.
func (l *label) Description() *string { return orNull(l.l.Description) }

// ID is REST's node_id.
func (l *label) ID() gql.ID { return numberID("Label", l.l.ID) }

// IsDefault is never.
func (l *label) IsDefault() bool { return false }

// Name is the label.
func (l *label) Name() string { return l.l.Name }

// Repository is where the label belongs.
func (l *label) Repository() *repository { return l.r }

// ResourcePath is the page's path.
func (l *label) ResourcePath() uri {
	return l.r.ResourcePath() + uri("/labels/"+url.PathEscape(l.l.Name))
}

// URL is the page's address.
func (l *label) URL() uri { return uri(l.r.s.host) + l.ResourcePath() }

// milestone is GitHub's Milestone.
type milestone struct {
	Description *string
	DueOn       *dateTime
	ID          gql.ID
	Number      int32
	Title       string
}

type labelOrder struct{ Direction, Field string }

// labels are the repository's, in the order of their creation.
func (r *repository) labels() ([]state.Label, error) {
	all, err := r.s.store().Labels(r.full())
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, err
}

// Label finds a label by name.
func (r *repository) Label(args struct{ Name string }) (*label, error) {
	all, err := r.labels()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if strings.EqualFold(l.Name, args.Name) {
			return &label{r, l}, nil
		}
	}
	return nil, nil
}

// Labels lists the repository's labels.
func (r *repository) Labels(ctx context.Context, args struct {
	slice
	OrderBy *labelOrder
	Query   *string
}) (*connection[label], error) {
	if err := r.may(issuesRead, pullsRead); err != nil {
		return nil, err
	}
	all, err := r.labels()
	if err != nil {
		return nil, err
	}
	list := listing[state.Label]{field: "labels"}
	for _, l := range all {
		if args.Query == nil || contains(l.Name, *args.Query) {
			list.items = append(list.items, l)
		}
	}
	return r.labelPage(ctx, args.slice, list, args.OrderBy)
}

// labelPage shows labels in an order; their ids are in the order of their creation.
func (r *repository) labelPage(ctx context.Context, p slice, list listing[state.Label], order *labelOrder) (*connection[label], error) {
	if order != nil {
		sort.SliceStable(list.items, func(i, j int) bool {
			a, b := list.items[i], list.items[j]
			if order.Direction == "DESC" {
				a, b = b, a
			}
			if order.Field == "NAME" {
				return a.Name < b.Name
			}
			return a.ID < b.ID
		})
	}
	return paginate(ctx, p, list, func(l state.Label) *label { return &label{r, l} })
}
