package tokens

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
)

// The files are written by go run ./test/tokens (see NOTICE for whose lists they are).
//
//go:embed cl100k.bin
var cl100k string

//go:embed o200k.bin
var o200k string

// tokenizers are those counted for.
var tokenizers = [...]struct {
	merges string
	cut    func(string) int // how many bytes the first piece takes
}{{cl100k, cutCL100K}, {o200k, cutO200K}}

// ranks are the tokens of a tokenizer, best rank first, in a table by hash: a Go map of them takes twice the memory and
// the time to make.
type ranks struct {
	all    string   // every token's bytes, one behind the other
	starts []uint32 // where in all each begins, by rank; the last is the end of all
	table  []uint32 // 1 + rank, where the hash of the token says or behind; 0 is free
	seed   maphash.Seed
}

// Pack writes tokens, best rank first, as readRanks reads them: how many there are in four bytes, big end first, a byte
// with the length of each, and then the tokens.
func Pack(list [][]byte) ([]byte, error) {
	packed := binary.BigEndian.AppendUint32(nil, uint32(len(list)))
	for rank, token := range list {
		if len(token) == 0 || len(token) > 255 {
			return nil, fmt.Errorf("the token of rank %d has %d bytes", rank, len(token))
		}
		packed = append(packed, byte(len(token)))
	}
	return append(packed, bytes.Join(list, nil)...), nil
}

func readRanks(packed string) ranks {
	known := int(binary.BigEndian.Uint32([]byte(packed[:4])))
	lengths := packed[4 : 4+known]
	r := ranks{all: packed[4+known:], starts: make([]uint32, known+1), seed: maphash.MakeSeed()}
	for rank := range known {
		r.starts[rank+1] = r.starts[rank] + uint32(lengths[rank])
	}
	r.table = make([]uint32, 1<<bits.Len(uint(known+known/2))) // at most two thirds full
	for rank := range known {
		at := r.slot(r.token(rank))
		for r.table[at] != 0 {
			at = (at + 1) % len(r.table)
		}
		r.table[at] = uint32(rank + 1)
	}
	return r
}

func (r *ranks) token(rank int) string { return r.all[r.starts[rank]:r.starts[rank+1]] }

func (r *ranks) slot(token string) int {
	return int(maphash.String(r.seed, token) % uint64(len(r.table)))
}

// of returns the rank of a token, none where there is no such token.
func (r *ranks) of(token string) int32 {
	for at := r.slot(token); r.table[at] != 0; at = (at + 1) % len(r.table) {
		if rank := int(r.table[at] - 1); r.token(rank) == token {
			return int32(rank)
		}
	}
	return none
}

// longPiece is from how many bytes a piece is counted as its bytes, which it never exceeds: joining it takes time by
// the square of its length, and no piece of prose is that long.
const longPiece = 512

// none is the rank of what is no token.
const none = int32(1<<31 - 1)

// count returns how many tokens a piece is.
func (r *ranks) count(piece string) int {
	if r.of(piece) != none {
		return 1
	}
	if len(piece) > longPiece {
		return len(piece)
	}
	var starts [longPiece + 1]int // where the parts begin; the last is where the piece ends
	var joined [longPiece]int32   // the rank of each part with the one behind it
	parts := len(piece)
	for i := range parts + 1 {
		starts[i] = i
	}
	rank := func(i int) int32 { // of part i with the next
		if i+2 > parts {
			return none
		}
		return r.of(piece[starts[i]:starts[i+2]])
	}
	for i := range parts {
		joined[i] = rank(i)
	}
	for parts > 1 {
		best := 0
		for i := 1; i < parts-1; i++ {
			if joined[i] < joined[best] {
				best = i
			}
		}
		if joined[best] == none {
			break
		}
		copy(starts[best+1:parts], starts[best+2:parts+1])
		copy(joined[best+1:parts-1], joined[best+2:parts])
		parts--
		joined[best] = rank(best)
		if best > 0 {
			joined[best-1] = rank(best - 1)
		}
	}
	return parts
}
