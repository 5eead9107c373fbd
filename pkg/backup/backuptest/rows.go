package backuptest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rae-memory/rae/pkg/backup"
)

// projects of a made-up tenant, in order.
var projects = []string{"default", "side"}

// Rows makes up a tenant that has n rows in every table that the store has, n in each of two projects where there are
// projects, as Dump would tell them; one row where a tenant has no more. Every text holds the word canary, so that it can be found where it must not be.
func Rows(canary string, n int) []backup.Row {
	seed := fnv.New64a()
	seed.Write([]byte(canary))
	m := &maker{random: rand.New(rand.NewPCG(seed.Sum64(), uint64(n))), canary: canary}
	var all []backup.Row
	for _, t := range backup.Tables() {
		var rows []backup.Row
		for _, project := range projects {
			for i := range n {
				if t.Single && len(rows) > 0 {
					continue
				}
				if t.Name == backup.Scopes && i > 0 || len(t.Order) == 1 && t.Order[0] == "project" && i > 0 {
					continue
				}
				rows = append(rows, m.row(t, project, i, n))
			}
		}
		if t.Numbered == "" {
			slices.SortFunc(rows, byKey)
		}
		all = append(all, rows...)
	}
	return all
}

// byKey orders rows as Dump does: texts and ids as bytes, numbers as numbers.
func byKey(a, b backup.Row) int {
	for _, column := range a.Table.Order {
		var order int
		switch x := a.Get(column).(type) {
		case string:
			order = cmp.Compare(x, b.Text(column))
		case int64:
			order = cmp.Compare(x, b.Get(column).(int64))
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// Each yields the rows, which stay the caller's.
func Each(rows []backup.Row) iter.Seq2[backup.Row, error] {
	return func(yield func(backup.Row, error) bool) {
		for _, row := range rows {
			if !yield(backup.Row{Table: row.Table, Values: slices.Clone(row.Values)}, nil) {
				return
			}
		}
	}
}

type maker struct {
	random *rand.Rand
	canary string
	id     uint64
	ids    map[string][]string // of memories, by project
	seq    int64
}

func (m *maker) row(t *backup.Table, project string, i, n int) backup.Row {
	row := backup.Row{Table: t, Values: make([]any, len(t.Columns))}
	for c, column := range t.Columns {
		row.Values[c] = m.value(column, i)
	}
	if t.Columns[0].Name == "project" {
		row.Set("project", project)
	}
	switch t.Name {
	case backup.Scopes:
		row.Set("floor", int64(20))
		row.Set("head", int64(20+100*n))
	case "memories":
		if m.ids == nil {
			m.ids = map[string][]string{}
		}
		m.ids[project] = append(m.ids[project], row.Text("id"))
		row.Set("version", int64(2))
		m.versioned(row)
	case "memory_versions":
		row.Set("memory_id", m.ids[project][i])
		row.Set("version", int64(1))
		m.versioned(row)
	case "memory_vectors":
		row.Set("memory_id", m.ids[project][i])
	}
	return row
}

func (m *maker) versioned(row backup.Row) {
	row.Set("layer", "semantic")
	row.Set("body", "")
	if m.random.IntN(2) == 0 {
		row.Set("body", fmt.Sprintf(`{"tags":["a","Zoë"],"metadata":{"%s":1.50},"entities":[{"name":"Zoë %s","type":"person"}]}`, m.canary, m.canary))
	}
	row.Set("content", fmt.Sprintf("%s remembers 日本語 and number %d. \U0001F9E0 \u202E \u0001 \u2028 <&> \\ \"", m.canary, m.seq))
}

// value makes up a value that no other row of the table has.
func (m *maker) value(c backup.Column, i int) any {
	if c.Optional && m.random.IntN(2) == 0 {
		return nil
	}
	m.id++
	switch c.Kind {
	case backup.Text:
		return fmt.Sprintf("%s \u00e9 %d", m.canary, m.id)
	case backup.UUID:
		return fmt.Sprintf("%08x-0000-7000-8000-%012x", m.random.Uint32(), m.id)
	case backup.Seq:
		m.seq++
		return 20 + m.seq
	case backup.Float:
		return m.random.Float64()*0.9 + 0.05
	case backup.Bool:
		return i%2 == 0
	case backup.Time:
		if i == 1 {
			return int64(-62135596800000000) + int64(m.id) // the first year
		}
		return int64(1_770_000_000_123_456) + int64(m.id)
	case backup.Bytes:
		return fmt.Appendf(nil, "\x00\xff%s %d", m.canary, m.id)
	case backup.Vector:
		var b []byte
		for range 3 + i%2 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.random.Float32()-0.5))
		}
		return b
	}
	return int64(m.random.IntN(1 << 20))
}
