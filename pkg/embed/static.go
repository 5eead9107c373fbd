package embed

import (
	"context"
	"slices"
	"sync"

	"github.com/rae-memory/rae/pkg/text"
)

const (
	staticModel      = "static-256-v1"
	staticDimensions = 256
	// pieceMark stands before an entry that continues a word.
	pieceMark = "##"
	// longestEntry is the length in bytes of the longest entry of a table, mark included.
	longestEntry = 24
	// longestWord is the length in bytes up to which a word is looked for in pieces. What is longer is no language.
	longestWord = 64
	// tableOne is the weight of a row that occurs once. It is smaller than one because rows bring their own scale.
	tableOne = 1 << 6
	// maxRowsKept is the number of rows up to which a scratch list is reused.
	maxRowsKept = 1 << 14
)

// seedEntry starts the hash by which the index of a table is laid out.
const seedEntry = 0xcbf29ce484222325

// Static is the built-in embedder that knows meanings, model "static-256-v1": a table with a vector for each of some
// 50,000 words and pieces of words, whose weighted sum is a text's vector, in 256 dimensions. The vectors are learned
// so that sums come close to what a sentence transformer makes of whole texts (test/distil, which names the model and
// the texts); the method follows Model2Vec and Tokenlearn (Minish Lab, 2024). Word order is lost, and so is whatever
// a word means only among others. The table is in the program: nothing is downloaded, nothing is loaded at the start.
//
// A word that occurs n times counts about 1+ln n. A word the table lacks is made of its pieces; one that has none,
// such as those of other scripts, is hashed as Hash does it, and so finds itself and its inflections. Texts without
// a word are made of their characters, and blank texts of their bytes, so there is always a vector. As in Hash, sums
// are of integers, so that a vector is the same to the bit on every machine.
//
// The zero value is ready to use.
type Static struct {
	open    sync.Once
	table   table
	scratch sync.Pool
}

var _ Embedder = (*Static)(nil)

// Model returns "static-256-v1".
func (s *Static) Model() string { return staticModel }

// Dimensions returns 256.
func (s *Static) Dimensions() int { return staticDimensions }

// EmbedDocuments fails only when ctx ends.
func (s *Static) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, document := range texts {
		v, err := s.EmbedQuery(ctx, document)
		if err != nil {
			return nil, err
		}
		vectors[i] = v
	}
	return vectors, nil
}

// EmbedQuery fails only when ctx ends. Queries and documents are embedded alike.
func (s *Static) EmbedQuery(ctx context.Context, query string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.open.Do(func() { s.table, _ = openTable(tableFile) }) // a test holds that it is one
	r, ok := s.scratch.Get().(*rowSum)
	if !ok {
		r = &rowSum{table: &s.table, features: features{sums: make([]int64, staticDimensions)}}
	}
	v := r.vector(query)
	if cap(r.rows) <= maxRowsKept {
		s.scratch.Put(r)
	}
	return v, nil
}

// Closeness returns how close each text is to the query: the cosine of their vectors, -1..1, in the order given. It fails
// only when ctx ends.
func (s *Static) Closeness(ctx context.Context, query string, texts []string) ([]float64, error) {
	asked, err := s.EmbedQuery(ctx, query)
	if err != nil {
		return nil, err
	}
	cosines := make([]float64, len(texts))
	for i, said := range texts {
		v, err := s.EmbedQuery(ctx, said)
		if err != nil {
			return nil, err
		}
		for at, x := range v {
			cosines[i] += float64(x) * float64(asked[at])
		}
	}
	return cosines, nil
}

// rowSum collects what one text is made of.
type rowSum struct {
	table *table
	rows  []uint16 // of the text's words and pieces, with repetitions
	features
}

func (r *rowSum) vector(s string) []float32 {
	clear(r.sums)
	r.rows = r.rows[:0]
	words := text.Words(s)
	for _, word := range words {
		if row, ok := r.table.row("", word.Term); ok {
			r.rows = append(r.rows, row)
		} else if !r.addPieces(word.Term) {
			weight := r.table.unit
			r.add(hashBytes(seedWord, word.Term), weight)
			r.addNgrams(word.Term, weight)
		}
	}
	slices.Sort(r.rows)
	for i := 0; i < len(r.rows); {
		from, row := i, r.rows[i]
		for i < len(r.rows) && r.rows[i] == row {
			i++
		}
		r.table.addTo(r.sums, row, sublinear(i-from)*tableOne/one)
	}
	return r.finish(s, len(words) == 0)
}

// addPieces adds the rows that make up a word the table lacks: from the left the longest that fits, skipping
// characters that no entry begins with. False when there are none.
func (r *rowSum) addPieces(word string) bool {
	if len(word) > longestWord {
		return false
	}
	before := len(r.rows)
	mark := ""
	for at := 0; at < len(word); {
		found := false
		for end := min(len(word), at+longestEntry-len(mark)); end > at && !found; end-- {
			var row uint16
			if row, found = r.table.row(mark, word[at:end]); found {
				r.rows = append(r.rows, row)
				at = end
			}
		}
		if !found {
			at++
		}
		mark = pieceMark
	}
	return len(r.rows) > before
}
