package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/text"
)

// question is a question weighed by what its scope holds at the moment, and where its terms are found.
type question struct {
	relevance.Question
	asked relevance.Asked // terms as they are stored
	words []string        // the same as the question has them

	scope  scopeRow
	past   bool
	places map[string]int       // of stored terms in asked.Terms
	found  []occurrences        // by asked.Terms
	gone   map[memory.Seq]bool  // what the blocks hold as current and the tail has superseded
	sheets map[memory.ID]string // words of versions the question shows that were read on the way; nil: nobody will ask
}

// occurrences are where one term is found.
type occurrences struct {
	documents, past int // in all its blocks
	loaded          bool
	postings        []posting // of the blocks, by document, once loaded
	tail            []posting // of what is not gathered yet
}

// consult asks what the scope holds of the question's words, and loads the postings of those terms that have at most so
// many.
func (in *session) consult(d *DB, q *search.Query, most int) (*question, error) {
	language := d.language(q.Scope)
	for {
		w, err := in.lookUp(q, language, most)
		if err != nil || w == nil || w.scope.language == language {
			return w, err
		}
		language = w.scope.language // the scope began under another setting
	}
}

// lookUp is consult in one language. It returns nil when there is no such scope or no word in the question.
func (in *session) lookUp(q *search.Query, language text.Language, most int) (*question, error) {
	w := &question{asked: relevance.Ask(q.Text, language), past: q.View.KnownAt != nil, places: map[string]int{}}
	if len(w.asked.Terms) == 0 {
		return nil, nil
	}
	w.found, w.words = make([]occurrences, len(w.asked.Terms)), w.asked.Terms
	w.asked.Terms = make([]string, len(w.words))
	for i, word := range w.words {
		w.asked.Terms[i] = key(word)
		w.places[w.asked.Terms[i]] = i
	}
	scope := []any{q.Scope.Tenant, q.Scope.Project}
	in.ask(`SELECT head, documents, length, gathered, language FROM scopes WHERE tenant = $1 AND project = $2`, scope, w.scanScope)
	in.ask(`SELECT b.term, b.first, b.documents, b.past, CASE WHEN sum(b.documents) OVER (PARTITION BY b.term) <= $4 THEN b.postings END FROM term_blocks b
		WHERE b.tenant = $1 AND b.project = $2 AND b.term = ANY($3::text[]) ORDER BY b.term, b.first`,
		append(scope[:2:2], w.asked.Terms, most), w.scanBlock)
	if err := in.rows(wholeTail, scope, w.scanTail()); err != nil || !w.scope.exists {
		return nil, err
	}
	w.weigh()
	return w, nil
}

func (w *question) scanScope(rows pgx.Rows) error {
	var language string
	s := &w.scope
	if err := rows.Scan(&s.head, &s.documents, &s.length, &s.gathered, &language); err != nil {
		return err
	}
	known := false
	if s.language, known = text.ParseLanguage(language); !known {
		return errors.New("the language of a scope is unknown to this program")
	}
	s.exists = true
	return nil
}

func (w *question) scanBlock(rows pgx.Rows) error {
	var term string
	var first memory.Seq
	var documents, past int
	var data []byte
	if err := rows.Scan(&term, &first, &documents, &past, &data); err != nil {
		return err
	}
	o := &w.found[w.places[term]]
	o.documents += documents
	o.past += past
	if data == nil {
		return nil
	}
	return o.load(first, data)
}

// load adds a block's postings.
func (o *occurrences) load(first memory.Seq, data []byte) (err error) {
	o.loaded = true
	o.postings, err = decodePostings(first, data, o.postings)
	return err
}

// scanTail returns what reads the tail: which of its versions hold a term, and what they superseded in the blocks.
func (w *question) scanTail() func(pgx.Rows) error {
	counts := make([]uint32, len(w.found))
	var row tailRow
	return func(rows pgx.Rows) error {
		if err := row.scan(rows); err != nil {
			return err
		}
		w.readTail(&row, counts)
		w.readSuperseded(row.superseded)
		return nil
	}
}

// readTail adds the postings of a version. counts are zero between calls.
func (w *question) readTail(row *tailRow, counts []uint32) {
	length := uint32(0)
	var held []int
	for term, extra := range eachWord(row.words) {
		if !extra && term != relevance.SentenceBreak {
			length++
		}
		place, asked := w.places[term]
		if !asked {
			continue
		}
		if counts[place] == 0 {
			held = append(held, place)
		}
		counts[place]++
	}
	for _, place := range held {
		o := &w.found[place]
		o.tail = append(o.tail, posting{row.document, counts[place], length, row.past})
		counts[place] = 0
	}
}

// readSuperseded takes a version that the blocks hold as current out of what is counted.
func (w *question) readSuperseded(old sheet) {
	if old.words == "" || old.document > w.scope.gathered {
		return
	}
	if w.gone == nil {
		w.gone = map[memory.Seq]bool{}
	}
	w.gone[old.document] = true
	seen := map[int]bool{}
	for term := range eachWord(old.words) {
		if place, asked := w.places[term]; asked && !seen[place] {
			seen[place] = true
			w.found[place].past++
		}
	}
}

// weigh says what the terms are worth.
func (w *question) weigh() {
	holding, held := make([]int, len(w.found)), make([]bool, len(w.found))
	for i := range w.found {
		o := &w.found[i]
		holding[i] = o.documents - o.past
		held[i] = o.documents > 0 || len(o.tail) > 0
		for _, p := range o.tail {
			if !p.past {
				holding[i]++
			}
		}
	}
	if !w.past {
		held = nil
	}
	w.Question = w.asked.Weigh(relevance.Statistics{
		Memories: int(w.scope.documents), Length: int(w.scope.length), Holding: holding, Past: held,
	})
}
