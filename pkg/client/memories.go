package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// consistencyHeader carries the token of a write.
const consistencyHeader = "X-RAE-Consistency"

// Stored answers a new memory.
type Stored struct {
	memory.Memory
	Deduplicated bool   `json:"deduplicated"` // the same content stood already in the same scope
	Consistency  string `json:"-"`            // token of the write, for Question.Consistency
}

// Store stores a memory, or recognises one.
func (c *Client) Store(ctx context.Context, d ingest.Draft) (Stored, error) {
	var stored Stored
	header, err := c.do(ctx, c.write(http.MethodPost, "/v1/memories", d), &stored)
	if err != nil {
		return Stored{}, err
	}
	stored.Consistency = header.Get(consistencyHeader)
	return stored, nil
}

// Batched answers a batch: what became of each item, in their order.
type Batched struct {
	Results     []ingest.Result `json:"results"`
	Consistency string          `json:"-"`
}

// Batch stores up to 1000 memories in one transaction. An item at fault is refused alone, in its Result.
func (c *Client) Batch(ctx context.Context, drafts []ingest.Draft) (Batched, error) {
	var batched Batched
	header, err := c.do(ctx, c.write(http.MethodPost, "/v1/memories/batch", map[string]any{"memories": drafts}), &batched)
	if err != nil {
		return Batched{}, err
	}
	batched.Consistency = header.Get(consistencyHeader)
	return batched, nil
}

// Recorded answers a conversation, turn by turn.
type Recorded struct {
	ingest.Recorded
	Consistency string `json:"-"`
}

// Conversation stores the turns of a conversation, oldest first.
func (c *Client) Conversation(ctx context.Context, in ingest.Conversation) (Recorded, error) {
	var recorded Recorded
	header, err := c.do(ctx, c.write(http.MethodPost, "/v1/conversations", in), &recorded)
	if err != nil {
		return Recorded{}, err
	}
	recorded.Consistency = header.Get(consistencyHeader)
	return recorded, nil
}

// memoryPath is where one memory lives.
func memoryPath(id memory.ID) string { return "/v1/memories/" + url.PathEscape(string(id)) }

// Get reads a memory as the view asks for it; the zero View is now.
func (c *Client) Get(ctx context.Context, id memory.ID, at memory.View) (memory.Memory, error) {
	var m memory.Memory
	get := c.read(http.MethodGet, memoryPath(id), nil)
	get.query = viewQuery(url.Values{}, at)
	_, err := c.do(ctx, get, &m)
	return m, err
}

// History reads every version of a memory, newest first.
func (c *Client) History(ctx context.Context, id memory.ID) ([]memory.Version, error) {
	var answer struct {
		Versions []memory.Version `json:"versions"`
	}
	_, err := c.do(ctx, c.read(http.MethodGet, memoryPath(id)+"/history", nil), &answer)
	return answer.Versions, err
}

// Patch changes a memory and returns it as it stands afterwards. expected, when not 0, is the version the caller saw:
// Conflict when the memory has moved on.
func (c *Client) Patch(ctx context.Context, id memory.ID, p ingest.Patch, expected int) (memory.Memory, error) {
	var m memory.Memory
	patch := c.write(http.MethodPatch, memoryPath(id), p)
	if expected != 0 {
		patch.header.Set("If-Match", strconv.Quote(strconv.Itoa(expected)))
	}
	_, err := c.do(ctx, patch, &m)
	return m, err
}

// Delete removes a memory with its versions and vectors.
func (c *Client) Delete(ctx context.Context, id memory.ID) error {
	_, err := c.do(ctx, c.write(http.MethodDelete, memoryPath(id), nil), nil)
	return err
}

// DeleteWhere removes every memory that matches and returns how many. Invalid when the filter restricts nothing.
func (c *Client) DeleteWhere(ctx context.Context, f memory.Filter) (int, error) {
	var deleted ingest.Deleted
	_, err := c.do(ctx, c.write(http.MethodPost, "/v1/memories/delete", map[string]any{"filter": f}), &deleted)
	return deleted.Deleted, err
}

// Listing selects a page of memories. Filter.Metadata cannot be asked of a list.
type Listing struct {
	memory.Filter
	memory.View
	Cursor string // Next of the page before; "" for the first
	Limit  int    // 1..1000; 0 means 100
}

// Page is one page of a list, newest first. Next is empty on the last.
type Page struct {
	Memories []memory.Memory `json:"memories"`
	Next     string          `json:"next_cursor"`
}

// List reads one page of the memories that match.
func (c *Client) List(ctx context.Context, l Listing) (Page, error) {
	query, err := filterQuery(l.Filter, l.View)
	if err != nil {
		return Page{}, err
	}
	if l.Cursor != "" {
		query.Set("cursor", l.Cursor)
	}
	if l.Limit != 0 {
		query.Set("limit", strconv.Itoa(l.Limit))
	}
	list := c.read(http.MethodGet, "/v1/memories", nil)
	list.query = query
	var page Page
	_, err = c.do(ctx, list, &page)
	return page, err
}

// All reads every memory that matches, page by page. It ends after the first error.
func (c *Client) All(ctx context.Context, l Listing) iter.Seq2[memory.Memory, error] {
	return func(yield func(memory.Memory, error) bool) {
		for {
			page, err := c.List(ctx, l)
			if err != nil {
				yield(memory.Memory{}, err)
				return
			}
			for _, m := range page.Memories {
				if !yield(m, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			l.Cursor = page.Next
		}
	}
}

// filterQuery writes a filter and a view as query parameters.
func filterQuery(f memory.Filter, at memory.View) (url.Values, error) {
	if len(f.Metadata) > 0 {
		return nil, fault.BadField("filter.metadata", "cannot be asked of a list; search or delete by it")
	}
	query := viewQuery(url.Values{}, at)
	for _, layer := range f.Layers {
		query.Add("layer", string(layer))
	}
	for _, tag := range f.Tags {
		query.Add("tag", tag)
	}
	for name, value := range map[string]string{"user_id": f.UserID, "agent_id": f.AgentID, "session_id": f.SessionID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	setTime(query, "since", f.Since)
	setTime(query, "until", f.Until)
	if f.MinImportance != 0 {
		query.Set("min_importance", strconv.FormatFloat(f.MinImportance, 'g', -1, 64))
	}
	if f.Archived != memory.WithoutArchived {
		query.Set("archived", string(f.Archived))
	}
	return query, nil
}

func viewQuery(query url.Values, at memory.View) url.Values {
	setTime(query, "as_of", at.AsOf)
	setTime(query, "known_at", at.KnownAt)
	return query
}

func setTime(query url.Values, name string, t *time.Time) {
	if t != nil {
		query.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}
