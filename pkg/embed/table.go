package embed

import (
	_ "embed" // the table
	"encoding/binary"
)

// tableFile is the table of static-256-v1, made by test/distil. It is a string so that it stays in the program's
// read-only memory, whose pages the system reads when they are first touched.
//
//go:embed static-256-v1.table
var tableFile string

// The table is read where it lies; nothing of it is parsed or copied. All numbers are little-endian:
//
//	magic     "rae-tab1"
//	rows      uint32, less than 65,535
//	slots     uint32, a power of 2 greater than rows
//	unit      uint32, the length of a common row in units of the sums
//	names     uint32, the length of all entries together
//	index     slots × uint16: row+1 at the hash of its entry or in the next free slot behind it, 0 where there is none
//	ends      rows × uint32: where each entry ends in the following
//	entries   lower-cased words, and after "##" pieces that continue a word
//	scales    rows × uint16: what the row's values are to be multiplied by
//	values    rows × staticDimensions × int8
const (
	tableMagic  = "rae-tab1"
	tableHeader = len(tableMagic) + 4*4
)

// table says where in the file what begins.
type table struct {
	rows, slots                  int
	unit                         int64
	index, ends, entries, scales string
	values                       string
}

// openTable returns the table in a file, and false when the file is none.
func openTable(file string) (table, bool) {
	if len(file) < tableHeader || file[:len(tableMagic)] != tableMagic {
		return table{}, false
	}
	numbers := file[len(tableMagic):]
	t := table{rows: int(uint32At(numbers, 0)), slots: int(uint32At(numbers, 1)), unit: int64(uint32At(numbers, 2))}
	lengths := [...]int{2 * t.slots, 4 * t.rows, int(uint32At(numbers, 3)), 2 * t.rows, t.rows * staticDimensions}
	at := tableHeader
	for i, part := range []*string{&t.index, &t.ends, &t.entries, &t.scales, &t.values} {
		if at+lengths[i] > len(file) {
			return table{}, false
		}
		*part = file[at : at+lengths[i]]
		at += lengths[i]
	}
	return t, at == len(file) && t.slots > t.rows && t.slots&(t.slots-1) == 0
}

// row returns the row of an entry, given as its two parts, and false when the table has none.
func (t *table) row(mark, word string) (uint16, bool) {
	hash := hashBytes(hashBytes(seedEntry, mark), word)
	for slot := int(hash^hash>>32) & (t.slots - 1); ; slot = (slot + 1) & (t.slots - 1) {
		row := uint16At(t.index, slot)
		if row == 0 {
			return 0, false
		}
		if entry := t.entry(int(row - 1)); len(entry) == len(mark)+len(word) && entry[:len(mark)] == mark && entry[len(mark):] == word {
			return row - 1, true
		}
	}
}

// entry is what a row is of.
func (t *table) entry(row int) string {
	var start uint32
	if row > 0 {
		start = uint32At(t.ends, row-1)
	}
	return t.entries[start:uint32At(t.ends, row)]
}

// addTo adds a row to the sums, multiplied by its scale and a weight.
func (t *table) addTo(sums []int64, row uint16, weight int64) {
	weight *= int64(uint16At(t.scales, int(row)))
	values := t.values[int(row)*staticDimensions:][:staticDimensions]
	sums = sums[:staticDimensions]
	for i := range sums {
		sums[i] += int64(int8(values[i])) * weight
	}
}

func uint32At(s string, i int) uint32 {
	return binary.LittleEndian.Uint32([]byte(s[4*i : 4*i+4]))
}

func uint16At(s string, i int) uint16 {
	return uint16(s[2*i]) | uint16(s[2*i+1])<<8
}
