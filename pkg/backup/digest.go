package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"slices"
)

// digest hashes and counts the rows of a tenant. The hash is over the lines of the rows, each table's after its name,
// with the numbers of changes counted from the floor of their feed.
type digest struct {
	hash    hash.Hash
	encoder *encoder
	numbers Renumber
	table   *Table
	counts  map[string]int64
}

func newDigest() *digest {
	return &digest{hash: sha256.New(), encoder: newEncoder(), counts: map[string]int64{}}
}

// clone returns a digest of the same rows, which goes on by itself.
func (d *digest) clone() (*digest, error) {
	cloner, ok := d.hash.(hash.Cloner)
	if !ok {
		return nil, errors.New("this build's SHA-256 cannot be gone on with twice")
	}
	same, err := cloner.Clone()
	if err != nil {
		return nil, err
	}
	return &digest{
		hash: same, encoder: newEncoder(), numbers: Renumber{by: maps.Clone(d.numbers.by)}, table: d.table, counts: maps.Clone(d.counts),
	}, nil
}

// add takes the next row.
func (d *digest) add(r Row) error {
	r.Values = slices.Clone(r.Values)
	d.numbers.fromZero(r)
	if d.table != r.Table {
		d.table = r.Table
		d.hash.Write([]byte(r.Table.Name + "\n"))
	}
	line, err := d.encoder.row(r)
	if err != nil {
		return err
	}
	d.hash.Write(line)
	d.counts[r.Table.Name]++
	return nil
}

// tenant sums up.
func (d *digest) tenant(name string) Tenant {
	return Tenant{Name: name, Rows: d.counts, Hash: hex.EncodeToString(d.hash.Sum(nil))}
}

// Tenant is what was told of one tenant.
type Tenant struct {
	Name string           `json:"tenant"`
	Rows map[string]int64 `json:"rows"`   // by table, those that have any
	Hash string           `json:"sha256"` // equal wherever the same rows are
}

// Count is the number of all rows.
func (t *Tenant) Count() (rows int64) {
	for _, n := range t.Rows {
		rows += n
	}
	return rows
}

// Digest counts and hashes what the store keeps of the tenant.
func Digest(ctx context.Context, s Source, tenant string) (Tenant, error) {
	d := newDigest()
	_, err := s.Dump(ctx, tenant, d.add)
	return d.tenant(tenant), err
}
