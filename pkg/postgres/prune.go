package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// In a large scope most postings belong to a few common terms, which decide little. They are looked at last (MaxScore:
// Turtle & Flood, "Query Evaluation: Strategies and Optimizations", 1995): once the candidates of the rarer terms have
// more than all common ones together could give, no other version can come among the best, and what the common terms
// give the candidates is read from the candidates' own words.
const (
	fewPostings = 4_096 // of a term, that are read before anybody knows whether they are needed
	mostRead    = 1_000 // candidates whose words are read
)

// score scores the versions that hold a term of the question, by document. Gains are added in the order of the terms.
// One that is not among them has at most rest.
func (r *retrieval) score() (all []candidate, rest float32, err error) {
	var next []candidate
	for i, term := range r.Terms {
		o := &r.found[term.Asked]
		if o.documents > 0 && !o.loaded {
			contenders, rest := r.contenders(all, i)
			if contenders != nil {
				all, err = r.complete(contenders, i)
				return all, rest, err
			}
			if err := r.load(term); err != nil {
				return nil, 0, err
			}
		}
		next = r.merge(next[:0], all, i, o.postings, o.tail)
		all, next = next, all
	}
	return all, 0, nil
}

// contenders are the candidates that may be among the best when they hold the terms from the given one on, provided that
// nothing else may be; nil when something else may, or they are too many. rest is what the terms are worth at most.
func (r *retrieval) contenders(all []candidate, term int) (contenders []candidate, rest float32) {
	for i := term; i < len(r.Terms); i++ {
		rest += r.Most(i)
	}
	rest *= 1.001 // sums in another order are rounded otherwise
	if len(all) < r.depth {
		return nil, 0
	}
	scores := make([]float32, len(all))
	for i := range all {
		scores[i] = all[i].score
	}
	slices.Sort(scores)
	worst := scores[len(scores)-r.depth]
	if worst <= rest {
		return nil, 0
	}
	for _, c := range all {
		if c.score+rest >= worst {
			contenders = append(contenders, c)
		}
	}
	if len(contenders) > max(mostRead, 2*r.depth) {
		return nil, 0
	}
	return contenders, rest
}

// complete adds what the candidates, which are current versions, gain by the terms from the given one on.
func (r *retrieval) complete(candidates []candidate, term int) ([]candidate, error) {
	documents := make([]memory.Seq, len(candidates))
	of := make(map[memory.Seq]*candidate, len(candidates))
	for i := range candidates {
		documents[i], of[candidates[i].document] = candidates[i].document, &candidates[i]
	}
	numbers := make(map[string]int, len(r.Terms))
	for i := term; i < len(r.Terms); i++ {
		numbers[r.Terms[i].Text] = i
	}
	counts := make([]uint32, len(r.Terms))
	err := r.rows(`SELECT m.document, m.words FROM `+currentAmong("document", "$3::bigint[]")+` m`,
		[]any{r.sight.scope.Tenant, r.sight.scope.Project, documents}, func(rows pgx.Rows) error {
			var s sheet
			if err := rows.Scan(&s.document, &s.words); err != nil {
				return err
			}
			length := 0
			for word, extra := range eachWord(s.words) {
				if !extra && word != relevance.SentenceBreak {
					length++
				}
				if i, asked := numbers[word]; asked {
					counts[i]++
				}
			}
			c := of[s.document]
			for i := term; i < len(r.Terms); i++ {
				if counts[i] > 0 {
					c.score += r.Gain(i, counts[i], length)
					c.terms |= 1 << i
					counts[i] = 0
				}
			}
			return nil
		})
	return candidates, err
}

// load reads those postings of the terms that have not been read yet.
func (r *retrieval) load(terms ...relevance.Term) error {
	var keys []string
	for _, term := range terms {
		if o := &r.found[term.Asked]; o.documents > 0 && !o.loaded {
			keys = append(keys, term.Text)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return r.rows(`SELECT term, first, postings FROM term_blocks WHERE tenant = $1 AND project = $2 AND term = ANY($3::text[])
		ORDER BY term, first`, []any{r.sight.scope.Tenant, r.sight.scope.Project, keys}, func(rows pgx.Rows) error {
		var term string
		var first memory.Seq
		var data []byte
		if err := rows.Scan(&term, &first, &data); err != nil {
			return err
		}
		return r.found[r.places[term]].load(first, data)
	})
}
