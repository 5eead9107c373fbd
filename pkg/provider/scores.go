package provider

import (
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Scored is a document's score as rerank APIs write it: in relevance_score most of them, in score Text Embeddings
// Inference.
type Scored struct {
	Index     *int     `json:"index"`
	Relevance *float64 `json:"relevance_score"`
	Score     *float64 `json:"score"`
}

// InOrder returns the scores of an answer in the order of the documents asked about. Unavailable, and charged for all the
// same, unless there is one for each.
func (c *Client) InOrder(answer []Scored, documents int) ([]float64, error) {
	if len(answer) != documents {
		return nil, llm.Spent(fault.New(fault.Unavailable, "%s returned %d scores for %d documents", c.Name(), len(answer), documents))
	}
	scores, told := make([]float64, documents), make([]bool, documents)
	for _, s := range answer {
		score := s.Relevance
		if score == nil {
			score = s.Score
		}
		if s.Index == nil || score == nil || *s.Index < 0 || *s.Index >= documents || told[*s.Index] {
			return nil, llm.Spent(fault.New(fault.Unavailable, "%s returned scores that are not those of %d documents", c.Name(), documents))
		}
		scores[*s.Index], told[*s.Index] = *score, true
	}
	return scores, nil
}
