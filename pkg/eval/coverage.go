package eval

import (
	"context"
	"fmt"
	"time"
)

// ContextFigures tell what of the evidence reaches a prompt of at most MaxTokens: means over questions, and times in
// milliseconds.
type ContextFigures struct {
	MaxTokens int     `json:"max_tokens"`
	Coverage  float64 `json:"evidence_coverage"` // share of the relevant documents' bytes that are in the text, 0..1
	Whole     float64 `json:"evidence_complete"` // share of questions whose relevant documents all are in it, whole
	Tokens    float64 `json:"tokens"`            // that the text takes up
	P50       float64 `json:"p50_ms"`
	P95       float64 `json:"p95_ms"`
}

// Cover packs a context for every question and measures how much of the evidence is in it.
func Cover(ctx context.Context, p Packer, s *Set, maxTokens int, progress Progress) (ContextFigures, error) {
	lengths := make(map[string]int, len(s.Documents))
	for i := range s.Documents {
		lengths[s.Documents[i].ID] = len(s.Documents[i].Text)
	}
	f := ContextFigures{MaxTokens: maxTokens}
	if len(s.Questions) == 0 {
		return f, nil
	}
	share := 1 / float64(len(s.Questions))
	times := make([]float64, 0, len(s.Questions))
	for i, q := range s.Questions {
		began := time.Now()
		packed, err := p.Pack(ctx, q.Scope, q.Text, maxTokens)
		if err != nil {
			return f, fmt.Errorf("pack %s: %w", q.ID, err)
		}
		times = append(times, milliseconds(time.Since(began)))
		covered, whole := evidence(s.Relevant[q.ID], lengths, packed.Bytes)
		f.Coverage += share * covered
		f.Whole += share * whole
		f.Tokens += share * float64(packed.Tokens)
		progress(i+1, len(s.Questions))
	}
	f.P50, f.P95 = quantiles(times)
	return f, nil
}

// evidence tells which share of the relevant documents is in a text, each counting alike, and 1 if all are, whole.
func evidence(relevant map[string]bool, lengths, in map[string]int) (covered, whole float64) {
	whole = 1
	for id := range relevant {
		if lengths[id] == 0 { // the labels name what the corpus lacks: nobody can find it
			whole = 0
			continue
		}
		covered += float64(in[id]) / float64(lengths[id]) / float64(len(relevant))
		if in[id] < lengths[id] {
			whole = 0
		}
	}
	return covered, whole
}
