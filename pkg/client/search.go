package client

import (
	"context"
	"net/http"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Question is what to find. Only Query is required.
type Question struct {
	Query       string
	Mode        search.Mode // "" means hybrid
	Filter      memory.Filter
	View        memory.View
	NoRerank    bool
	Diversity   float64 // 0 (off) .. 1
	Limit       int     // 1..100, of Search; 0 means 10
	MaxTokens   int     // 1..200000, of Context; 0 means 2000
	NoBlocks    bool    // Context is to be without blocks
	Explain     bool    // say of every result why it was found
	Consistency string  // token of a write that must be seen
}

// asked is a question as the API reads it.
type asked struct {
	Query     string         `json:"query"`
	Mode      search.Mode    `json:"mode,omitempty"`
	Filters   *memory.Filter `json:"filters,omitempty"`
	AsOf      *time.Time     `json:"as_of,omitempty"`
	KnownAt   *time.Time     `json:"known_at,omitempty"`
	Rerank    *bool          `json:"rerank,omitempty"`
	Diversity float64        `json:"diversity,omitempty"`
	Limit     int            `json:"limit,omitempty"`
	Explain   bool           `json:"explain,omitempty"`
	MaxTokens int            `json:"max_tokens,omitempty"`
	Blocks    *bool          `json:"blocks,omitempty"`
}

func (q *Question) asked() asked {
	a := asked{Query: q.Query, Mode: q.Mode, AsOf: q.View.AsOf, KnownAt: q.View.KnownAt, Diversity: q.Diversity}
	if !q.Filter.Empty() {
		a.Filters = &q.Filter
	}
	if q.NoRerank {
		off := false
		a.Rerank = &off
	}
	return a
}

// ask is a question as a call: it reads, though it is posted.
func (c *Client) ask(path string, q *Question, body asked) *call {
	ask := c.read(http.MethodPost, path, body)
	if q.Consistency != "" {
		ask.header.Set(consistencyHeader, q.Consistency)
	}
	return ask
}

// Found answers a search, best first.
type Found struct {
	Results  []search.Result `json:"results"`
	TookMS   float64         `json:"took_ms"`
	Cached   bool            `json:"cached"`
	Degraded []string        `json:"degraded"` // legs or stages that failed; their part is missing
}

// Search finds the memories that matter.
func (c *Client) Search(ctx context.Context, q Question) (Found, error) {
	body := q.asked()
	body.Limit, body.Explain = q.Limit, q.Explain
	var found Found
	_, err := c.do(ctx, c.ask("/v1/search", &q, body), &found)
	return found, err
}

// Context packs the memories that matter into a text of at most q.MaxTokens.
func (c *Client) Context(ctx context.Context, q Question) (search.Context, error) {
	body := q.asked()
	body.MaxTokens = q.MaxTokens
	if q.NoBlocks {
		body.Blocks = new(bool)
	}
	var packed struct {
		Text      string                `json:"text"`
		Tokens    int                   `json:"tokens"`
		Citations []search.Citation     `json:"citations"`
		Truncated bool                  `json:"truncated"`
		Degraded  []string              `json:"degraded"`
		Blocks    []search.PlacedBlock  `json:"blocks"`
		Omitted   []search.OmittedBlock `json:"blocks_omitted"`
	}
	_, err := c.do(ctx, c.ask("/v1/context", &q, body), &packed)
	return search.Context(packed), err
}
