package postgres

import (
	"encoding/binary"
	"errors"
	"maps"
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
func past(postings []posting) (n int32) {
	for i := range postings {
		if postings[i].past {
			n++
		}
	}
	return n
}

// encode writes postings as varints: the distance from the document before, which for the first of a block is the block's
// first; twice the count, odd when it is past; and the length.
func encode(before memory.Seq, postings []posting) []byte {
	data := make([]byte, 0, 5*len(postings))
	for _, p := range postings {
		count := uint64(p.count) << 1
		if p.past {
			count |= 1
		}
		data = binary.AppendUvarint(data, uint64(p.document-before))
		data = binary.AppendUvarint(data, count)
		data = binary.AppendUvarint(data, uint64(p.length))
		before = p.document
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
	blocks, err := g.amended(terms, documents)
	if err != nil {
		return err
	}
	var kept columns
	var emptyTerms []string
	var emptyFirsts []memory.Seq
	for _, b := range blocks {
		changes.apply(b)
		switch {
		case !b.changed:
		case len(b.postings) == 0:
			emptyTerms, emptyFirsts = append(emptyTerms, b.term), append(emptyFirsts, b.first)
		default:
			kept.add(b.term, b.first, b.first, b.postings)
		}
	}
	if len(kept.terms) > 0 {
		g.exec(writeBlocks+`postings = excluded.postings, documents = excluded.documents, past = excluded.past`, kept.args(g.scope)...)
	}
	if len(emptyTerms) > 0 {
		g.exec(`DELETE FROM term_blocks b WHERE b.tenant = $1 AND b.project = $2 AND b.ctid = ANY(ARRAY(
			SELECT x.ctid FROM unnest($3::text[], $4::bigint[]) e(term, first) CROSS JOIN LATERAL `+blockAt("e.term", "e.first")+` x))`,
			g.scope.Tenant, g.scope.Project, emptyTerms, emptyFirsts)
	}
	return nil
}

// amended reads the blocks that hold the postings.
func (g *group) amended(terms []string, documents []memory.Seq) (found []*block, err error) {
	query := `SELECT b.term, b.first, b.postings FROM (
		SELECT DISTINCT w.term, (SELECT max(x.first) FROM term_blocks x
			WHERE x.tenant = $1 AND x.project = $2 AND x.term = w.term AND x.first <= w.document) AS first
		FROM unnest($3::text[], $4::bigint[]) w(term, document)) k CROSS JOIN LATERAL ` + blockAt("k.term", "k.first") + ` b`
	err = g.rows(query, []any{g.scope.Tenant, g.scope.Project, terms, documents}, func(rows pgx.Rows) error {
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

// columns are blocks, or what is added to them, as they are sent.
type columns struct {
	terms            []string
	firsts, lasts    []int64
	documents, pasts []int32
	postings         [][]byte
}

// add adds postings of the block that begins with first, encoded as those that follow the document before.
func (c *columns) add(term string, first, before memory.Seq, postings []posting) {
	c.terms, c.firsts = append(c.terms, term), append(c.firsts, int64(first))
	c.lasts = append(c.lasts, int64(postings[len(postings)-1].document))
	c.documents, c.pasts = append(c.documents, int32(len(postings))), append(c.pasts, past(postings))
	c.postings = append(c.postings, encode(before, postings))
}

func (c *columns) args(scope memory.Scope) []any {
	return []any{scope.Tenant, scope.Project, c.terms, c.firsts, c.lasts, c.documents, c.pasts, c.postings}
}

// writeBlocks writes columns. What of a block that stands already becomes, beside its last document, follows. It is no
// UPDATE: that would be a join of two lists, which a planner that believes one of them to be short goes through again for
// each row of the other.
const writeBlocks = `INSERT INTO term_blocks AS b (tenant, project, term, first, last, documents, past, postings)
	SELECT $1, $2, r.* FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], $8::bytea[]) r
	ON CONFLICT (tenant, project, term, first) DO UPDATE SET last = excluded.last, `

// blockAt selects the block with a key of another row, expressions.
func blockAt(term, first string) string {
	return `(SELECT x.ctid, x.* FROM term_blocks x WHERE x.tenant = $1 AND x.project = $2 AND x.term = ` + term + ` AND x.first = ` + first + ` LIMIT 1)`
}

// end is where the postings of a term end: the last block, its last document and how many it has.
type end struct {
	first, last memory.Seq
	documents   int
}

// append adds postings behind those of their terms, of which it needs to know only where they end.
func (g *group) append(fresh map[string][]posting) error {
	terms := slices.Sorted(maps.Keys(fresh)) // as the index has them, so that neighbours are written together
	ends := make(map[string]end, len(terms))
	const lastBlocks = `SELECT w.term, b.first, b.last, b.documents FROM unnest($3::text[]) w(term) CROSS JOIN LATERAL (
		SELECT x.first, x.last, x.documents FROM term_blocks x WHERE x.tenant = $1 AND x.project = $2 AND x.term = w.term
		ORDER BY x.first DESC LIMIT 1) b`
	err := g.rows(lastBlocks, []any{g.scope.Tenant, g.scope.Project, terms}, func(rows pgx.Rows) error {
		var term string
		var e end
		err := rows.Scan(&term, &e.first, &e.last, &e.documents)
		ends[term] = e
		return err
	})
	if err != nil {
		return err
	}
	var added columns
	for _, term := range terms {
		postings := fresh[term]
		if e, ok := ends[term]; ok && e.documents < fullBlock {
			n := min(fullBlock-e.documents, len(postings))
			added.add(term, e.first, e.last, postings[:n])
			postings = postings[n:]
		}
		for full := range slices.Chunk(postings, fullBlock) {
			added.add(term, full[0].document, full[0].document, full)
		}
	}
	if len(terms) > 0 {
		g.exec(writeBlocks+`postings = b.postings || excluded.postings, documents = b.documents + excluded.documents, past = b.past + excluded.past`,
			added.args(g.scope)...)
	}
	return nil
}
