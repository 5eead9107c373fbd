package search

import (
	"slices"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// packer fills a budget of tokens with memories, the most relevant first.
type packer struct {
	tokens    Tokens
	query     map[string]bool // terms
	budget    int             // tokens left, by the sum of lines
	limit     int
	opening   opening
	pieces    []piece // in the order taken
	said      []saying
	dated     bool            // there is room for headings
	headed    map[string]bool // passages that have their heading paid
	excerpts  int             // tried
	truncated bool
}

// piece is a part of a memory that goes into the text, on a line of its own.
type piece struct {
	memory     *memory.Memory
	start, end int // of Content
}

// datedFrom is the budget from which dates are told: a heading takes a dozen tokens, and in a smaller text they are better
// spent on what happened.
const datedFrom = 100

func newPacker(tokens Tokens, query string, limit int, o opening) *packer {
	p := &packer{tokens: tokensOr(tokens), query: map[string]bool{}, budget: limit, limit: limit, opening: o, headed: map[string]bool{}}
	for _, term := range text.Analyze(query) {
		p.query[term.Term] = true
	}
	if o.text != "" {
		p.budget -= p.tokens.Count(o.text) + p.tokens.Count(boundary)
	}
	p.dated = p.budget >= datedFrom
	p.truncated = slices.ContainsFunc(o.omitted, func(b OmittedBlock) bool { return b.Reason == NoRoom })
	return p
}

// offer takes the memory if it says something new and there is room for it, or for the part of it that answers best.
func (p *packer) offer(m *memory.Memory) {
	room := p.budget
	passage := passageOf(m)
	if p.dated && !p.headed[passage] {
		room -= p.tokens.Count(heading(m))
	}
	taken := piece{memory: m, end: len(m.Content)}
	fits := p.tokens.Fits(taken.line(), room)
	if !fits && (p.excerpts == mostExcerpts || room < leastRoom) {
		p.truncated = true
		return
	}
	said := sayingOf(m)
	if said.repeatsAny(p.said) {
		return
	}
	if !fits {
		p.truncated = true
		p.excerpts++
		if taken, fits = p.excerpt(m, room); !fits {
			return
		}
	}
	p.budget = room - p.tokens.Count(taken.line())
	p.headed[passage] = true
	p.pieces = append(p.pieces, taken)
	p.said = append(p.said, said)
}

// Of so many memories that don't fit a part is looked for, as long as there is room for a few words: reading them
// sentence by sentence takes longer than finding them did.
const (
	mostExcerpts = 4
	leastRoom    = 8
)

// excerptBytes is how far into a memory an excerpt is looked for, where the room is small; else eight bytes a token.
const excerptBytes = 64 << 10

// excerpt is the run of sentences that fits into the room and holds the most different terms of the question, the first
// of several. What holds none is worth a place only where there is nothing else yet.
func (p *packer) excerpt(m *memory.Memory, room int) (best piece, fits bool) {
	content := cut(m.Content, max(excerptBytes, 8*room))
	sentences := text.Sentences(content)
	run := window{held: map[string]int{}}
	frame := p.tokens.Count(piece{memory: m, start: 1, end: 1}.line()) // what a line costs besides its sentences
	most, last := 0, 0
	if len(p.pieces) == 0 {
		most = -1
	}
	for first := range sentences {
		for last = max(last, first); last < len(sentences); last++ { // as far as there is room
			size := p.tokens.Count(content[sentences[last].Start:beginning(sentences, last+1, content)])
			if frame+run.size+size > room {
				break
			}
			run.add(size, p.held(content, sentences[last]))
		}
		if first == last {
			continue // one sentence is too long
		}
		if of := (piece{memory: m, start: sentences[first].Start, end: sentences[last-1].End}); len(run.held) > most && p.tokens.Fits(of.line(), room) {
			best, fits, most = of, true, len(run.held)
		}
		run.drop()
	}
	return best, fits
}

// beginning is where a sentence begins, or, behind the last, where the content ends.
func beginning(sentences []text.Span, n int, content string) int {
	if n < len(sentences) {
		return sentences[n].Start
	}
	return len(content)
}

// window is a run of sentences that moves along.
type window struct {
	size      int // in tokens
	held      map[string]int
	sentences []struct {
		size int
		held map[string]bool
	}
}

func (w *window) add(size int, held map[string]bool) {
	w.size += size
	for term := range held {
		w.held[term]++
	}
	w.sentences = append(w.sentences, struct {
		size int
		held map[string]bool
	}{size, held})
}

// drop takes out the first sentence.
func (w *window) drop() {
	w.size -= w.sentences[0].size
	for term := range w.sentences[0].held {
		if w.held[term]--; w.held[term] == 0 {
			delete(w.held, term)
		}
	}
	w.sentences = w.sentences[1:]
}

// held are the terms of the question in a sentence.
func (p *packer) held(content string, sentence text.Span) map[string]bool {
	held := map[string]bool{}
	for _, term := range text.Analyze(content[sentence.Start:sentence.End]) {
		if p.query[term.Term] {
			held[term.Term] = true
		}
	}
	return held
}

// packed lays out what was taken. The limit holds for the whole text: should it come out longer than its lines, the last
// piece taken goes.
func (p *packer) packed() Context {
	for {
		made := layOut(p.pieces, p.dated)
		made.open(p.opening)
		if len(p.pieces) == 0 || p.tokens.Fits(made.Text, p.limit) {
			made.Tokens, made.Truncated = p.tokens.Count(made.Text), p.truncated
			return made
		}
		p.pieces, p.truncated = p.pieces[:len(p.pieces)-1], true
	}
}
