package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

// A version keeps its terms (relevance.Document) beside its text, so that nothing that comes later reads and stems the
// text again: merging words into blocks, searching those that are not merged yet, deletion, reranking. They are written
// in order with a space between, a line end between sentences, and a form feed before those that are only said about it.
// No term holds such a character.
const (
	betweenTerms     = ' '
	betweenSentences = '\n'
	beforeExtra      = '\f'
)

// longestTerm is the longest term that is kept as it is, in bytes. A key of an index must not exceed a third of a page.
const longestTerm = 200

// key is a term as it is stored: itself, or, when it is too long, its beginning and a digest of the whole.
func key(term string) string {
	if len(term) <= longestTerm {
		return term
	}
	digest := sha256.Sum256([]byte(term))
	cut := longestTerm / 2
	for !utf8.RuneStart(term[cut]) {
		cut--
	}
	return term[:cut] + "…" + hex.EncodeToString(digest[:16])
}

// encodeWords writes a document's terms.
func encodeWords(d *relevance.Document) string {
	var b strings.Builder
	fresh := true // no term yet on this line
	write := func(term string) {
		if !fresh {
			b.WriteByte(betweenTerms)
		}
		b.WriteString(key(term))
		fresh = false
	}
	for _, term := range d.Terms {
		if term == relevance.SentenceBreak {
			b.WriteByte(betweenSentences)
			fresh = true
			continue
		}
		write(term)
	}
	if len(d.Extra) > 0 {
		b.WriteByte(beforeExtra)
		fresh = true
		for _, term := range d.Extra {
			write(term)
		}
	}
	return b.String()
}

// eachWord yields every term of what encodeWords wrote; extra tells those that are only said about the memory, and a
// sentence's end is relevance.SentenceBreak.
func eachWord(words string) iter.Seq2[string, bool] {
	return func(yield func(term string, extra bool) bool) {
		extra, begin := false, 0
		for i := 0; i <= len(words); i++ {
			if i < len(words) && words[i] != betweenTerms && words[i] != betweenSentences && words[i] != beforeExtra {
				continue
			}
			if i > begin && !yield(words[begin:i], extra) {
				return
			}
			begin = i + 1
			if i == len(words) {
				return
			}
			switch words[i] {
			case betweenSentences:
				if !yield(relevance.SentenceBreak, false) {
					return
				}
			case beforeExtra:
				extra = true
			}
		}
	}
}

// decodeWords is encodeWords backwards, into a document whose slices it reuses.
func decodeWords(words string, d *relevance.Document) {
	d.Terms, d.Extra, d.Length = d.Terms[:0], d.Extra[:0], 0
	for term, extra := range eachWord(words) {
		switch {
		case extra:
			d.Extra = append(d.Extra, term)
		default:
			d.Terms = append(d.Terms, term)
			if term != relevance.SentenceBreak {
				d.Length++
			}
		}
	}
}

// lengthOf is relevance.Document's Length of what encodeWords wrote.
func lengthOf(words string) (length int64) {
	for term, extra := range eachWord(words) {
		if extra {
			break
		}
		if term != relevance.SentenceBreak {
			length++
		}
	}
	return length
}

// language is what a scope that begins is read in.
func (d *DB) language(scope memory.Scope) text.Language {
	if d.options.Language == nil {
		return text.English
	}
	return d.options.Language(scope)
}

// derived is what the store computes of a version to find it by.
type derived struct {
	body    string
	speaker string
	words   string
	length  int64
	named   []relevance.Entity
}

// compose computes what the store keeps of m beside its fields. The scope's row must be known.
func (t *tx) compose(m *memory.Memory) (derived, error) {
	rest, err := m.EncodeBody()
	document := relevance.Analyze(m, t.next.language)
	return derived{
		body: rest, speaker: document.Speaker, words: encodeWords(&document), length: int64(document.Length), named: document.Entities,
	}, err
}

// gain counts a current version of so many words.
func (t *tx) gain(length int64) {
	t.next.documents++
	t.next.length += length
}

// discount takes back what gain counted for a version that is current no more.
func (t *tx) discount(old *standing) {
	t.next.documents--
	t.next.length -= lengthOf(old.words)
}

// sheet is the words of one version.
type sheet struct {
	document memory.Seq
	words    string
}

// doom notes all versions of a memory that is being deleted, so that their postings go, too.
func (t *tx) doom(old *standing) {
	t.doomed = append(t.doomed, sheet{old.document, old.words})
	if old.Memory.Version == 1 {
		return
	}
	t.ask(`SELECT document, words FROM memory_versions WHERE tenant = $1 AND project = $2 AND memory_id = $3`,
		[]any{t.scope.Tenant, t.scope.Project, string(old.ID)}, func(rows pgx.Rows) error {
			var s sheet
			err := rows.Scan(&s.document, &s.words)
			t.doomed = append(t.doomed, s)
			return err
		})
}

// forgetDoomed removes the postings of what this transaction deletes.
func (g *group) forgetDoomed() error {
	if len(g.doomed) == 0 {
		return nil
	}
	if err := g.flush(); err != nil { // older versions of what is doomed may not have been read yet
		return err
	}
	removals := amendments{}
	for _, s := range g.doomed {
		if s.document <= g.next.gathered {
			removals.add(s, remove)
		}
	}
	g.doomed = nil
	return g.amend(removals)
}
