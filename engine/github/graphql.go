package github

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// question is a request in GraphQL ("Forming calls with GraphQL" in GitHub's documentation). It only reads.
type question struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

// graph asks one question. An answer that has errors is no answer, even where it has data as well: what is missing there
// could be what counts.
func (c *Client) graph(ctx context.Context, op string, q question, data any) error {
	return c.read(op, func() error {
		req, err := c.hub.NewRequest(http.MethodPost, c.graphql, q)
		if err != nil {
			return err // unreachable: the address was parsed, and the question holds strings
		}
		var got struct {
			Data   json.RawMessage `json:"data"`
			Errors []struct {
				Type    string `json:"type"`
				Message string `json:"message"`
			} `json:"errors"`
		}
		resp, err := c.hub.Do(ctx, req, &got)
		if err != nil {
			return err
		}
		refused := &gh.ErrorResponse{Response: resp.Response, Message: "GraphQL gave neither data nor a reason"}
		for i, e := range got.Errors {
			if i == 0 {
				refused.Message = strings.TrimSpace(e.Type + " " + e.Message)
			}
			if e.Type == "RATE_LIMITED" || resp.Header.Get("Retry-After") != "" {
				return limitedAnswer(refused)
			}
		}
		if len(got.Errors) > 0 || len(got.Data) == 0 || string(got.Data) == "null" {
			return refused
		}
		return json.Unmarshal(got.Data, data)
	})
}

// limitedAnswer makes of an answer that tells of a limit what REST would have answered: GraphQL tells it with status 200
// ("Rate limits and query limits for the GraphQL API").
func limitedAnswer(e *gh.ErrorResponse) error {
	r := *e.Response
	r.StatusCode = http.StatusTooManyRequests
	return &gh.ErrorResponse{Response: &r, Message: e.Message}
}
