package github

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/approval"
)

const (
	maxIDs     = 100    // in one field of a question: GitHub takes no more
	maxFields  = 5      // of ids in one question
	maxMembers = 100    // of a team, with an answer about texts; a larger one is read by REST
	maxKnown   = 10_000 // texts that are remembered
)

// text is what a person wrote and in which words may count.
type text struct {
	node, body string
	comment    int64 // its id; 0: it is a review, which bears no mark
}

// known remembers what the hub said of texts. A text that was not edited needs no second question while its body is the
// same: whatever was done to it since, these are the words that were submitted. One that was edited stays so.
//
// It also remembers which comments bear the App's mark: how many people gave the same reaction is all that REST tells.
type known struct {
	mu     sync.Mutex
	texts  map[knownText]bool // edited
	marked map[int64]bool     // comments, by id
}

type knownText struct {
	node string
	body [sha256.Size]byte
}

func (t text) key() knownText { return knownText{t.node, sha256.Sum256([]byte(t.body))} }

func (k *known) get(t text) (edited, is bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	edited, is = k.texts[t.key()]
	return edited, is
}

func (k *known) put(t text, edited bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.texts == nil || len(k.texts) >= maxKnown {
		k.texts = map[knownText]bool{}
	}
	k.texts[t.key()] = edited
}

func (k *known) mark(comment int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.marked == nil || len(k.marked) >= maxKnown {
		k.marked = map[int64]bool{}
	}
	k.marked[comment] = true
}

func (k *known) bearsMark(comment int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.marked[comment]
}

// history is what REST does not tell of a conversation.
type history struct {
	edited  map[string]bool // by node id, of every text with words that may count; absent: nobody has asked
	members roll            // of teams that came with the answer
}

// spoken are the texts of people in which a line begins with a slash, and those of approving reviews: whatever they say now,
// they may have said something else.
func spoken(reviews []*gh.PullRequestReview, comments []*gh.IssueComment) []text {
	var out []text
	add := func(u *gh.User, t text, counts bool) {
		if u.GetType() != "Bot" && (counts || approval.Speaks(t.body)) {
			out = append(out, t)
		}
	}
	for _, r := range reviews {
		if r.GetState() != pending {
			add(r.GetUser(), text{node: r.GetNodeID(), body: r.GetBody()}, r.GetState() == "APPROVED")
		}
	}
	for _, m := range comments {
		add(m.GetUser(), text{m.GetNodeID(), m.GetBody(), m.GetID()}, false)
	}
	return out
}

// history asks by GraphQL whether anybody edited the texts, if one of them is new or changed, and which of these the App has
// marked. The members of the teams
// come with the answer, which saves a request for each. A text that the hub does not know any more counts as edited.
func (c *Client) history(ctx context.Context, teams []string, texts []text) (history, error) {
	h := history{edited: map[string]bool{}, members: roll{}}
	var fresh []text
	for _, t := range texts {
		edited, is := c.known.get(t)
		switch {
		case is || t.node == "":
			h.edited[t.node] = edited || t.node == ""
		default:
			fresh = append(fresh, t)
		}
	}
	for some := range slices.Chunk(fresh, maxIDs*maxFields) {
		if err := c.askHistory(ctx, teams, some, h); err != nil {
			return history{}, err
		}
		teams = nil
	}
	return h, nil
}

// askHistory asks one question, and adds the answer to h.
func (c *Client) askHistory(ctx context.Context, teams []string, texts []text, h history) error {
	parts := slices.Collect(slices.Chunk(texts, maxIDs))
	q, slugs := c.historyQuestion(teams, parts)
	var data map[string]json.RawMessage
	if err := c.graph(ctx, "read who edited what", q, &data); err != nil {
		return err
	}
	for i, part := range parts {
		var nodes []*struct {
			LastEditedAt        *string `json:"lastEditedAt"`
			IncludesCreatedEdit *bool   `json:"includesCreatedEdit"`
			ReactionGroups      []struct {
				Content string `json:"content"`
				Own     bool   `json:"viewerHasReacted"`
			} `json:"reactionGroups"`
		}
		if err := json.Unmarshal(data[fmt.Sprintf("n%d", i)], &nodes); err != nil || len(nodes) != len(part) {
			return &Error{Op: "read who edited what", Message: "the hub's answer does not fit the question"}
		}
		for j, t := range part {
			n := nodes[j]
			if n == nil || n.IncludesCreatedEdit == nil {
				h.edited[t.node] = true // it is gone, or no text: not remembered
				continue
			}
			h.edited[t.node] = n.LastEditedAt != nil || *n.IncludesCreatedEdit
			c.known.put(t, h.edited[t.node])
			for _, g := range n.ReactionGroups {
				if g.Content == "EYES" && g.Own && t.comment != 0 {
					c.known.mark(t.comment)
				}
			}
		}
	}
	if len(slugs) > 0 {
		return takeMembers(data["repository"], slugs, h)
	}
	return nil
}

// historyQuestion asks for texts by their ids, and for the owner's teams among teams. slugs is teams without those of
// others, as they are named in the question.
func (c *Client) historyQuestion(teams []string, parts [][]text) (q question, asked []string) {
	var vars, fields, ofOwner strings.Builder
	q.Variables = map[string]any{}
	for i, part := range parts {
		ids := make([]string, len(part))
		for j, t := range part {
			ids[j] = t.node
		}
		q.Variables[fmt.Sprintf("n%d", i)] = ids
		fmt.Fprintf(&vars, "$n%d:[ID!]! ", i)
		fmt.Fprintf(&fields, " n%d:nodes(ids:$n%d){id ... on Comment{lastEditedAt includesCreatedEdit} ... on Reactable{reactionGroups{content viewerHasReacted}}}", i, i)
	}
	for _, team := range teams {
		slug, ours := c.ownTeam(team)
		if !ours {
			continue
		}
		q.Variables[fmt.Sprintf("t%d", len(asked))] = slug
		fmt.Fprintf(&vars, "$t%d:String! ", len(asked))
		fmt.Fprintf(&ofOwner, " t%d:team(slug:$t%d){members(first:%d){totalCount nodes{databaseId login}}}", len(asked), len(asked), maxMembers)
		asked = append(asked, team)
	}
	if len(asked) > 0 {
		q.Variables["owner"], q.Variables["name"] = c.owner, c.repo
		vars.WriteString("$owner:String! $name:String!")
		fmt.Fprintf(&fields, " repository(owner:$owner,name:$name){owner{... on Organization{%s}}}", ofOwner.String())
	}
	q.Query = "query(" + strings.TrimSpace(vars.String()) + "){" + strings.TrimSpace(fields.String()) + "}"
	return q, asked
}

// takeMembers reads the members of teams. One that the hub does not show, or whose members are not all there, is left to
// REST.
func takeMembers(repository json.RawMessage, teams []string, h history) error {
	var answer struct {
		Owner map[string]*struct {
			Members struct {
				TotalCount int `json:"totalCount"`
				Nodes      []*struct {
					ID    int64  `json:"databaseId"`
					Login string `json:"login"`
				} `json:"nodes"`
			} `json:"members"`
		} `json:"owner"`
	}
	if err := json.Unmarshal(repository, &answer); err != nil {
		return &Error{Op: "read the members of teams", Message: "the hub's answer does not fit the question"}
	}
	for i, team := range teams {
		t := answer.Owner[fmt.Sprintf("t%d", i)]
		if t == nil || t.Members.TotalCount != len(t.Members.Nodes) {
			continue
		}
		h.members[team] = map[int64]string{}
		for _, m := range t.Members.Nodes {
			if m != nil && m.ID != 0 {
				h.members[team][m.ID] = m.Login
			}
		}
	}
	return nil
}
