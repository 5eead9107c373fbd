package postgres

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
)

// posting says that a version holds a term.
type posting struct {
	document memory.Seq
	count    uint32 // how often
	length   uint32 // of the version, relevance.Document's Length
	past     bool   // the version has been superseded
}

// fullBlock is how many postings a block has at most: at four bytes each, half a page.
const fullBlock = 1024

// block is one row of term_blocks.
type block struct {
	term     string
	first    memory.Seq // its key; lower than any document still in it once some were removed
	postings []posting  // by document
	changed  bool
}

// past counts the superseded.
func (b *block) past() (n int) {
	for i := range b.postings {
		if b.postings[i].past {
			n++
		}
	}
	return n
}

// encode writes the postings as varints: the distance from the document before (or from first), twice the count, odd
// when it is past, and the length.
func (b *block) encode() []byte {
	data := make([]byte, 0, 5*len(b.postings))
	last := b.first
	for _, p := range b.postings {
		count := uint64(p.count) << 1
		if p.past {
			count |= 1
		}
		data = binary.AppendUvarint(data, uint64(p.document-last))
		data = binary.AppendUvarint(data, count)
		data = binary.AppendUvarint(data, uint64(p.length))
		last = p.document
	}
	return data
}

var errPostings = errors.New("a block of postings cannot be read")

// decodePostings appends the postings of a block that begins with the document.
func decodePostings(document memory.Seq, data []byte, into []posting) ([]posting, error) {
	for len(data) > 0 {
		var numbers [3]uint64
		for i := range numbers {
			n, size := binary.Uvarint(data)
			if size <= 0 {
				return nil, errPostings
			}
			numbers[i], data = n, data[size:]
		}
		document += memory.Seq(numbers[0])
		into = append(into, posting{document, uint32(numbers[1] >> 1), uint32(numbers[2]), numbers[1]&1 != 0})
	}
	return into, nil
}

// amendment is what becomes of a posting.
type amendment uint8

const (
	remove    amendment = iota // its memory is deleted
	supersede                  // its version is
)

// amendments of postings, by term and document.
type amendments map[string]map[memory.Seq]amendment

// add amends every posting of a version.
func (a amendments) add(s sheet, change amendment) {
	for term := range eachWord(s.words) {
		if term == "" {
			continue
		}
		if a[term] == nil {
			a[term] = map[memory.Seq]amendment{}
		}
		a[term][s.document] = change
	}
}

// apply amends a block.
func (a amendments) apply(b *block) {
	changes := a[b.term]
	kept := b.postings[:0]
	for _, p := range b.postings {
		change, amended := changes[p.document]
		switch {
		case !amended:
		case change == remove:
			b.changed = true
			continue
		default:
			b.changed, p.past = true, true
		}
		kept = append(kept, p)
	}
	b.postings = kept
}

// amend rewrites the blocks that hold what is to be amended.
func (g *group) amend(changes amendments) error {
	if len(changes) == 0 {
		return nil
	}
	var terms []string
	var documents []memory.Seq
	for term, of := range changes {
		for document := range of {
			terms, documents = append(terms, term), append(documents, document)
		}
	}
	blocks, err := g.blocks(`SELECT b.term, b.first, b.postings FROM (
		SELECT DISTINCT w.term, (SELECT max(x.first) FROM term_blocks x
			WHERE x.tenant = $1 AND x.project = $2 AND x.term = w.term AND x.first <= w.document) AS first
		FROM unnest($3::text[], $4::bigint[]) w(term, document)) k
		JOIN term_blocks b ON b.tenant = $1 AND b.project = $2 AND b.term = k.term AND b.first = k.first`, terms, documents)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		changes.apply(b)
	}
	g.store(blocks)
	return nil
}

// blocks reads the blocks a query selects.
func (g *group) blocks(query string, args ...any) ([]*block, error) {
	var found []*block
	err := g.rows(query, append([]any{g.scope.Tenant, g.scope.Project}, args...), func(rows pgx.Rows) error {
		b, data := &block{}, []byte(nil)
		if err := rows.Scan(&b.term, &b.first, &data); err != nil {
			return err
		}
		var err error
		b.postings, err = decodePostings(b.first, data, make([]posting, 0, fullBlock/4))
		found = append(found, b)
		return err
	})
	return found, err
}

// store keeps back the writing of those blocks that changed.
func (g *group) store(blocks []*block) {
	type columns struct {
		terms            []string
		firsts, lasts    []memory.Seq
		documents, pasts []int
		postings         [][]byte
		emptyTerms       []string
		emptyFirsts      []memory.Seq
	}
	var c columns
	byTerm(blocks)
	for _, b := range blocks {
		switch {
		case !b.changed:
		case len(b.postings) == 0:
			c.emptyTerms, c.emptyFirsts = append(c.emptyTerms, b.term), append(c.emptyFirsts, b.first)
		default:
			c.terms, c.firsts = append(c.terms, b.term), append(c.firsts, b.first)
			c.lasts = append(c.lasts, b.postings[len(b.postings)-1].document)
			c.documents, c.pasts = append(c.documents, len(b.postings)), append(c.pasts, b.past())
			c.postings = append(c.postings, b.encode())
		}
	}
	if len(c.terms) > 0 {
		g.exec(`INSERT INTO term_blocks (tenant, project, term, first, last, documents, past, postings)
			SELECT $1, $2, b.* FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], $8::bytea[]) b
			ON CONFLICT (tenant, project, term, first) DO UPDATE SET last = excluded.last, documents = excluded.documents,
			past = excluded.past, postings = excluded.postings`,
			g.scope.Tenant, g.scope.Project, c.terms, c.firsts, c.lasts, c.documents, c.pasts, c.postings)
	}
	if len(c.emptyTerms) > 0 {
		g.exec(`DELETE FROM term_blocks b USING unnest($3::text[], $4::bigint[]) e(term, first)
			WHERE b.tenant = $1 AND b.project = $2 AND b.term = e.term AND b.first = e.first`,
			g.scope.Tenant, g.scope.Project, c.emptyTerms, c.emptyFirsts)
	}
}

// push adds a posting at the end of a term's last block, or begins another. It returns what is the last block then.
func push(last *block, term string, p posting) *block {
	if last == nil || len(last.postings) >= fullBlock {
		last = &block{term: term, first: p.document, postings: make([]posting, 0, 4)}
	}
	last.postings = append(last.postings, p)
	last.changed = true
	return last
}

// byTerm orders blocks as their index does, so that neighbours are written together.
func byTerm(blocks []*block) {
	slices.SortFunc(blocks, func(a, b *block) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.first, b.first))
	})
}
