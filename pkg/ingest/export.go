package ingest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"io"

	"github.com/rae-memory/rae/pkg/memory"
)

// Export writes the memories that match as JSON lines, newest first, in constant memory, and returns how many. Every
// line can be imported again. Memories written while it runs may or may not be in it; each one standing throughout
// is, once. Nothing is written before the first page was read, so an error that came first can still be answered.
func (s *Service) Export(ctx context.Context, scope memory.Scope, f memory.Filter, at memory.View, w io.Writer) (int, error) {
	q := memory.Query{Filter: f, View: at, Limit: slice}
	out := bufio.NewWriterSize(w, 64<<10)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := cmp.Or(named(scope), checkQuery(q)); err != nil {
		return 0, err
	}
	total := 0
	for {
		page, err := s.Store.List(ctx, scope, q) // which vectors there are says nothing elsewhere
		if err != nil {
			return total, err
		}
		for i := range page.Memories {
			if err := encoder.Encode(&page.Memories[i]); err != nil {
				return total, err
			}
			total++
		}
		if page.Next == "" {
			return total, out.Flush()
		}
		q.After = page.Next
	}
}
