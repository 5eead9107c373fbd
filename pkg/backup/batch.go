package backup

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/rae-memory/rae/pkg/memory"
)

// A batch is what a store writes in one transaction: long enough to cost little, short enough that others get their turn.
const (
	batchRows  = 500
	batchBytes = 4 << 20
)

// Progress is how far a restore has come. The store keeps it beside the rows and writes both in one transaction.
type Progress struct {
	Erased memory.Seq `json:"erased"` // of the store, when the restore began: see Renumber
	Rows   int64      `json:"rows"`   // written, those of Scopes not counted
}

// String renders it to be kept.
func (p Progress) String() string {
	b, err := json.Marshal(p)
	if err != nil { // two numbers: there is nothing to fail
		return "{}"
	}
	return string(b)
}

// ParseProgress is String backwards.
func ParseProgress(s string) (p Progress, err error) {
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return p, fmt.Errorf("read how far a restore has come: %w", err)
	}
	return p, nil
}

// Batches lends an adapter that restores a tenant the rows it has yet to write, renumbered, in batches; write is told how
// far the restore has come with each. A batch ends before a row that is to be written apart from the one before; nil:
// none is. The rows of Scopes are held back and returned: a feed begins when what it tells of is there.
func (p Progress) Batches(rows iter.Seq2[Row, error], apart func(before, row Row) bool, write func(batch []Row, before, after Progress) error) (scopes []Row, end Progress, err error) {
	numbers := Renumber{Erased: p.Erased}
	var batch []Row
	flush := func() error {
		after := p
		after.Rows += int64(len(batch))
		if err := write(batch, p, after); err != nil {
			return err
		}
		p, batch = after, nil
		return nil
	}
	written, passed, size := p.Rows, int64(0), 0
	for row, err := range rows {
		if err != nil {
			return nil, p, err
		}
		numbers.Apply(row)
		switch passed++; {
		case row.Table.Name == Scopes:
			scopes = append(scopes, row)
			passed--
			continue
		case passed <= written:
			continue // written before an interruption
		}
		if n := len(batch); n > 0 && (n == batchRows || size >= batchBytes || apart != nil && apart(batch[n-1], row)) {
			if err := flush(); err != nil {
				return nil, p, err
			}
			size = 0
		}
		batch, size = append(batch, row), size+row.size()
	}
	if len(batch) > 0 {
		err = flush()
	}
	return scopes, p, err
}

// size is about how many bytes the row's values take.
func (r Row) size() int {
	n := 8 * len(r.Values)
	for _, value := range r.Values {
		switch v := value.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}
