package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rae-memory/rae/pkg/block"
)

const blocksPath = "/v1/blocks"

// owned are the query parameters that say whose blocks are meant.
func owned(of block.Owner) url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"agent_id": of.AgentID, "user_id": of.UserID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

func blockPath(ref block.Ref) string { return blocksPath + "/" + url.PathEscape(ref.Name) }

// changeBlock is a call that changes a block. expected, when not 0, is the version the caller saw, or block.Absent:
// Conflict when another stands.
func (c *Client) changeBlock(method string, ref block.Ref, path string, expected int, body any) *call {
	change := c.write(method, blockPath(ref)+path, body)
	change.query = owned(ref.Owner)
	switch {
	case expected == block.Absent:
		change.header.Set("If-None-Match", "*")
	case expected != 0:
		change.header.Set("If-Match", strconv.Quote(strconv.Itoa(expected)))
	}
	return change
}

// Block reads a block as it stands.
func (c *Client) Block(ctx context.Context, ref block.Ref) (block.Block, error) {
	var b block.Block
	get := c.read(http.MethodGet, blockPath(ref), nil)
	get.query = owned(ref.Owner)
	_, err := c.do(ctx, get, &b)
	return b, err
}

// PutBlock makes a block or changes one; what s leaves out stays as it is.
func (c *Client) PutBlock(ctx context.Context, ref block.Ref, s block.Settings, expected int) (block.Block, error) {
	var b block.Block
	_, err := c.do(ctx, c.changeBlock(http.MethodPut, ref, "", expected, s), &b)
	return b, err
}

// EditBlock changes a part of a block's text. expected is no block.Absent here.
func (c *Client) EditBlock(ctx context.Context, ref block.Ref, e block.Edit, expected int) (block.Block, error) {
	var b block.Block
	_, err := c.do(ctx, c.changeBlock(http.MethodPatch, ref, "", expected, e), &b)
	return b, err
}

// UndoBlock brings back what a block said before, or in the version to, when that is not 0.
func (c *Client) UndoBlock(ctx context.Context, ref block.Ref, to, expected int) (block.Version, error) {
	var v block.Version
	var body any
	if to != 0 {
		body = map[string]int{"version": to}
	}
	_, err := c.do(ctx, c.changeBlock(http.MethodPost, ref, "/undo", expected, body), &v)
	return v, err
}

// DeleteBlock deletes a block; an undo brings it back.
func (c *Client) DeleteBlock(ctx context.Context, ref block.Ref, expected int) error {
	_, err := c.do(ctx, c.changeBlock(http.MethodDelete, ref, "", expected, nil), nil)
	return err
}

// EraseBlock removes a block with every version.
func (c *Client) EraseBlock(ctx context.Context, ref block.Ref, expected int) error {
	erase := c.changeBlock(http.MethodDelete, ref, "", expected, nil)
	erase.query.Set("erase", "true")
	_, err := c.do(ctx, erase, nil)
	return err
}

// Blocks reads every block of the project, or of the agent and the user that are named, in order of agent, user and name.
// It ends after the first error.
func (c *Client) Blocks(ctx context.Context, of block.Owner) iter.Seq2[block.Block, error] {
	return pages(ctx, c, blocksPath, owned(of), func(p *blockPage) []block.Block { return p.Blocks })
}

// BlockHistory reads the kept versions of a block, newest first. It ends after the first error.
func (c *Client) BlockHistory(ctx context.Context, ref block.Ref) iter.Seq2[block.Version, error] {
	return pages(ctx, c, blockPath(ref)+"/history", owned(ref.Owner), func(p *blockPage) []block.Version { return p.Versions })
}

// blockPage is a page of blocks or of versions.
type blockPage struct {
	Blocks   []block.Block   `json:"blocks"`
	Versions []block.Version `json:"versions"`
	Next     string          `json:"next_cursor"`
}

func pages[V any](ctx context.Context, c *Client, path string, query url.Values, of func(*blockPage) []V) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		query.Del("cursor") // whoever ranges again begins anew
		for {
			list := c.read(http.MethodGet, path, nil)
			list.query = query
			var page blockPage
			if _, err := c.do(ctx, list, &page); err != nil {
				var none V
				yield(none, err)
				return
			}
			for _, v := range of(&page) {
				if !yield(v, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}
