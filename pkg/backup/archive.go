package backup

import (
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// An archive is lines of JSON (RFC 8259), compressed as one member of gzip (RFC 1952) for each of its parts:
//
//	{"rae_backup":1, …}                          the header
//	{"begin":"acme","at":"…"}                    a tenant, and after it its rows
//	{"table":"scopes","columns":["project", …]}  a table that has rows, and after it each of them
//	["default",12,0]
//	{"end":"acme","rows":{"scopes":1},"erased":0,"sha256":"…"}
//	{"tenants":1,"total":1,"sha256":"…"}         the end; the hash is over all lines before it
//
// Tenants are in the order of bytes, tables and rows in that of Tables. No part needs another to be read, and memory is
// needed for a line at a time.

// Format is the version of the format that this program writes. It reads it and those before.
const Format = 1

// maxLine bounds a line, in bytes: far beyond the largest answer or vector a store takes.
const maxLine = 64 << 20

// Header says what an archive is of.
type Header struct {
	Format  int       `json:"rae_backup"`
	Program string    `json:"program"` // the version of RAE that wrote it
	At      time.Time `json:"created_at"`
	Store   string    `json:"store"`            // the kind of store: sqlite or postgres
	Source  string    `json:"source"`           // which one, told without its address
	Tenant  string    `json:"tenant,omitempty"` // the only one it is of; "" when it is of all
}

// same reports whether a backup with the header o goes on where one with the header h was interrupted.
func (h Header) same(o Header) bool {
	return h.Format == o.Format && h.Store == o.Store && h.Source == o.Source && h.Tenant == o.Tenant
}

// part is any line but the header and rows: which it is, says the field that is not empty.
type part struct {
	Begin string     `json:"begin,omitempty"`
	At    *time.Time `json:"at,omitempty"`

	Table   string   `json:"table,omitempty"`
	Columns []string `json:"columns,omitempty"`

	End    string           `json:"end,omitempty"`
	Rows   map[string]int64 `json:"rows,omitempty"`
	Erased *memory.Seq      `json:"erased,omitempty"`

	Tenants *int   `json:"tenants,omitempty"`
	Total   *int64 `json:"total,omitempty"`

	Hash string `json:"sha256,omitempty"`
}

// Summary is what an archive holds.
type Summary struct {
	Header  Header     `json:"header"`
	Tenants []Tenant   `json:"tenants"`
	Erased  memory.Seq `json:"-"` // above all numbers that erased scopes of the store had used
}

// Count is the number of all rows.
func (s *Summary) Count() (rows int64) {
	for i := range s.Tenants {
		rows += s.Tenants[i].Count()
	}
	return rows
}

func names(columns []Column) []string {
	all := make([]string, len(columns))
	for i := range columns {
		all[i] = columns[i].Name
	}
	return all
}
