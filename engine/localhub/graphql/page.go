package graphql

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	gql "github.com/graph-gophers/graphql-go"
)

// maxPage is GitHub's largest first and last.
const maxPage = 100

// slice is which part of a list a client asks for; it stands in the arguments of every connection.
type slice struct {
	After, Before *string
	First, Last   *int32
}

// pageInfo is GitHub's PageInfo.
type pageInfo struct {
	EndCursor       *string
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
}

// connection is a page of a list.
type connection[T any] struct {
	Edges      *[]*edge[T]
	Nodes      *[]*T
	PageInfo   pageInfo
	TotalCount int32
}

type edge[T any] struct {
	Cursor string
	Node   *T
}

// cursorOf names the place after the i-th item: a client must not look inside, and items that come later in a growing
// list leave earlier places where they are.
func cursorOf(i int) string {
	return base64.StdEncoding.EncodeToString([]byte("cursor:v1:" + strconv.Itoa(i+1)))
}

func parseCursor(text string) (int, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	number, ok := strings.CutPrefix(string(raw), "cursor:v1:")
	n, convErr := strconv.Atoi(number)
	if err != nil || !ok || convErr != nil || n < 0 {
		return 0, &fault{"INVALID_CURSOR_ARGUMENTS", fmt.Sprintf("`%s` does not appear to be a valid cursor.", text)}
	}
	return n, nil
}

// bounds are the first and the end index of the page in a list of n items.
func (p slice) bounds(ctx context.Context, field string, n int) (from, to int, err error) {
	if err := p.check(ctx, field); err != nil {
		return 0, 0, err
	}
	from, to = 0, n
	if p.After != nil && *p.After != "" {
		if from, err = parseCursor(*p.After); err != nil {
			return 0, 0, err
		}
	}
	if p.Before != nil && *p.Before != "" {
		before, err := parseCursor(*p.Before)
		if err != nil {
			return 0, 0, err
		}
		to = min(to, before-1)
	}
	from = min(from, n)
	to = max(to, from)
	if p.First != nil {
		to = min(to, from+int(*p.First))
	}
	if p.Last != nil {
		from = max(from, to-int(*p.Last))
	}
	return from, to, nil
}

// check refuses pages without bounds and beyond GitHub's. Who asks for nothing but totals needs no bounds.
func (p slice) check(ctx context.Context, field string) error {
	if p.First == nil && p.Last == nil {
		if gql.HasSelectedField(ctx, "nodes") || gql.HasSelectedField(ctx, "edges") {
			return &fault{"MISSING_PAGINATION_BOUNDARIES", fmt.Sprintf("You must provide a `first` or `last` value to properly paginate the `%s` connection.", field)}
		}
		return nil
	}
	for _, b := range []struct {
		name  string
		value *int32
	}{{"first", p.First}, {"last", p.Last}} {
		switch {
		case b.value == nil:
		case *b.value < 0:
			return &fault{"ARGUMENT_ERROR", fmt.Sprintf("`%s` on the `%s` connection cannot be less than zero.", b.name, field)}
		case *b.value > maxPage:
			return &fault{"EXCESSIVE_PAGINATION", fmt.Sprintf("Requesting %d records on the `%s` connection exceeds the `%s` limit of %d records.", *b.value, field, b.name, maxPage)}
		}
	}
	return nil
}

// paginate shapes the items of one page of a list and leaves the others alone.
func paginate[S, T any](ctx context.Context, p slice, list listing[S], shape func(S) *T) (*connection[T], error) {
	from, to, err := p.bounds(ctx, list.field, len(list.items))
	if err != nil {
		return nil, err
	}
	return assemble(list.items[from:to], from, len(list.items), shape), nil
}

// assemble makes a connection of the items of a page, which begins at an index of a list of n.
func assemble[S, T any](items []S, from, n int, shape func(S) *T) *connection[T] {
	nodes, edges := make([]*T, 0, len(items)), make([]*edge[T], 0, len(items))
	for i, item := range items {
		node := shape(item)
		nodes, edges = append(nodes, node), append(edges, &edge[T]{Cursor: cursorOf(from + i), Node: node})
	}
	return &connection[T]{Nodes: &nodes, Edges: &edges, TotalCount: int32(n), PageInfo: infoOf(from, from+len(items), n)}
}

// listing is a whole list and the name of its field, for refusals.
type listing[S any] struct {
	field string
	items []S
}

func infoOf(from, to, n int) pageInfo {
	info := pageInfo{HasNextPage: to < n, HasPreviousPage: from > 0}
	if to > from {
		start, end := cursorOf(from), cursorOf(to-1)
		info.StartCursor, info.EndCursor = &start, &end
	}
	return info
}

// none is a page of a list that is always empty on this hub.
func none[T any](ctx context.Context, p slice, field string) (*connection[T], error) {
	return paginate(ctx, p, listing[*T]{field: field}, func(t *T) *T { return t })
}
