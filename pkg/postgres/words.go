package postgres

import (
	"github.com/rae-memory/rae/pkg/memory"
)

// derived is what the store computes of a version to find it by.
type derived struct {
	body    string
	speaker string
	words   string
	length  int64
}

// compose computes what the store keeps of m beside its fields.
func (t *tx) compose(m *memory.Memory, document memory.Seq) (derived, error) {
	rest, err := encodeBody(m)
	return derived{body: rest}, err
}

// gain counts a current version of so many words.
func (t *tx) gain(length int64) {
	t.next.documents++
	t.next.length += length
}

// discount takes back what gain counted for a version that is current no more.
func (t *tx) discount(old *standing) { t.next.documents-- }

// link writes the edges of a version.
func (t *tx) link(m *memory.Memory, document memory.Seq) {}

// unlink removes what finds a memory that is going.
func (t *tx) unlink(old *standing) {}
