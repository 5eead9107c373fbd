package backup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
)

// Row is one row of a tenant. Values are in the order of the table's columns, of the Go type the column's kind says.
type Row struct {
	Table  *Table
	Values []any
}

// Get returns the value of a column, which the table must have.
func (r Row) Get(column string) any { return r.Values[r.Table.index(column)] }

// Set sets the value of a column, which the table must have.
func (r Row) Set(column string, value any) { r.Values[r.Table.index(column)] = value }

// Text returns the value of a column of kind Text or UUID.
func (r Row) Text(column string) string { return r.Get(column).(string) }

// Project returns the project the row belongs to, "" where the table has none.
func (r Row) Project() string {
	if i := r.Table.index("project"); i >= 0 {
		return r.Values[i].(string)
	}
	return ""
}

// encoder renders rows as lines of JSON, the same row always as the same line.
type encoder struct {
	line bytes.Buffer
	json *json.Encoder
}

func newEncoder() *encoder {
	e := &encoder{}
	e.json = json.NewEncoder(&e.line)
	e.json.SetEscapeHTML(false)
	return e
}

// encode returns the line, which is the encoder's until the next call. JSON would change text that is not UTF-8: such a
// row is refused rather than told wrong.
func (e *encoder) encode(values any) ([]byte, error) {
	e.line.Reset()
	err := e.json.Encode(values)
	return e.line.Bytes(), err
}

func (e *encoder) row(r Row) ([]byte, error) {
	for i, value := range r.Values {
		if s, ok := value.(string); ok && !utf8.ValidString(s) {
			return nil, fault.New(fault.Internal, "table %s, column %s: the store holds text that is not UTF-8", r.Table.Name, r.Table.Columns[i].Name)
		}
	}
	return e.encode(r.Values)
}

// decode reads the line of a row of the table, which tells its first columns.
func decode(t *Table, columns int, line []byte) (Row, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var told []any
	if err := d.Decode(&told); err != nil {
		return Row{}, fmt.Errorf("a row of %s is no JSON array", t.Name)
	}
	if len(told) != columns {
		return Row{}, fmt.Errorf("a row of %s has %d values, not %d", t.Name, len(told), columns)
	}
	for i := range told {
		value, ok := t.Columns[i].parse(told[i])
		if !ok {
			return Row{}, fmt.Errorf("a row of %s has a %s that is no %s", t.Name, t.Columns[i].Name, t.Columns[i].Kind)
		}
		told[i] = value
	}
	return Row{t, told}, nil
}

// parse makes of what JSON says what the kind is in Go.
func (c *Column) parse(told any) (value any, ok bool) {
	if told == nil {
		return nil, c.Optional
	}
	switch c.Kind {
	case Bool:
		value, ok = told.(bool)
	case Text, UUID:
		value, ok = told.(string)
	case Bytes, Vector:
		s, isText := told.(string)
		b, err := base64.StdEncoding.DecodeString(s)
		value, ok = b, isText && err == nil && (c.Kind == Bytes || len(b) > 0 && len(b)%4 == 0)
	case Float:
		n, isNumber := told.(json.Number)
		f, err := strconv.ParseFloat(string(n), 64)
		value, ok = f, isNumber && err == nil
	default:
		n, isNumber := told.(json.Number)
		i, err := strconv.ParseInt(string(n), 10, 64)
		value, ok = i, isNumber && err == nil
	}
	return value, ok
}
