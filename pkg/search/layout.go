package search

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
)

// stamp is how a heading tells a time: models reckon with weekdays.
const stamp = "2006-01-02 Mon 15:04"

// passageOf names the passage of the text a memory belongs to, each of which has one heading: a day of a session, or,
// outside any session, a minute. What has no date is a passage of its own in its session.
func passageOf(m *memory.Memory) string {
	if m.OccurredAt == nil {
		return m.SessionID + "\x00"
	}
	at := m.OccurredAt.UTC().Format("2006-01-02 15:04")
	if m.SessionID != "" {
		at = at[:len("2006-01-02")]
	}
	return m.SessionID + "\x00" + at
}

// heading is the line that opens a passage: when the first memory of it happened.
func heading(m *memory.Memory) string {
	if m.OccurredAt == nil {
		return "undated\n"
	}
	return m.OccurredAt.UTC().Format(stamp) + "\n"
}

// line is the piece as the text has it.
func (p piece) line() string { return p.prefix() + p.memory.Content[p.start:p.end] + "\n" }

// prefix tells the speaker, where the content does not begin with the name, and what was left out before.
func (p piece) prefix() string {
	prefix := "- "
	if who := speakerOf(p.memory); who != "" && !strings.HasPrefix(p.memory.Content[p.start:p.end], who+":") {
		prefix += who + ": "
	}
	if p.start > 0 {
		prefix += "… "
	}
	return prefix
}

func speakerOf(m *memory.Memory) string {
	for _, key := range []string{"name", "speaker", "role"} {
		if who, ok := m.Metadata[key].(string); ok && who != "" {
			if len(who) <= 64 && !strings.ContainsAny(who, "\r\n") {
				return who
			}
			return ""
		}
	}
	return ""
}

// layOut writes pieces one a line, under headings if dated: sessions in the order they began, each in the order things happened, and what
// belongs to no session between them. What has no date opens its session, and where nothing of it has one, the text.
func layOut(pieces []piece, dated bool) Context {
	pieces = slices.Clone(pieces)
	began := map[string]*memory.Memory{} // the first memory with a date, by session, or by passage outside any
	strand := func(m *memory.Memory) string { return cmp.Or(m.SessionID, passageOf(m)) }
	for _, p := range pieces {
		first, undated := began[strand(p.memory)], p.memory.OccurredAt == nil
		if first == nil || first.OccurredAt == nil && !undated || (first.OccurredAt == nil) == undated && earlier(p.memory, first) < 0 {
			began[strand(p.memory)] = p.memory
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		if x, y := strand(a.memory), strand(b.memory); x != y {
			return cmp.Or(earlier(began[x], began[y]), cmp.Compare(x, y))
		}
		return cmp.Or(earlier(a.memory, b.memory), cmp.Compare(a.start, b.start))
	})
	var made Context
	var b strings.Builder
	passage := "\x00"
	for _, p := range pieces {
		if next := passageOf(p.memory); dated && next != passage {
			passage = next
			if b.Len() > 0 || p.memory.OccurredAt != nil {
				b.WriteString(heading(p.memory))
			}
		}
		b.WriteString(p.prefix())
		start := b.Len()
		b.WriteString(p.memory.Content[p.start:p.end])
		made.Citations = append(made.Citations, Citation{MemoryID: p.memory.ID, Start: p.start, End: p.end, TextStart: start, TextEnd: b.Len()})
		b.WriteByte('\n')
	}
	made.Text = b.String()
	return made
}

// open puts what a context begins with before its memories.
func (c *Context) open(o opening) {
	c.Blocks, c.Omitted = o.placed, o.omitted
	if o.text == "" {
		return
	}
	before := o.text
	if len(c.Citations) > 0 {
		before += boundary
	}
	c.Text = before + c.Text
	for i := range c.Citations {
		c.Citations[i].TextStart += len(before)
		c.Citations[i].TextEnd += len(before)
	}
}

// earlier orders memories by when they happened, those without a date first, as they came in.
func earlier(a, b *memory.Memory) int {
	switch {
	case a.OccurredAt == nil && b.OccurredAt != nil:
		return -1
	case a.OccurredAt != nil && b.OccurredAt == nil:
		return 1
	}
	return cmp.Or(a.When().Compare(b.When()), cmp.Compare(a.ID, b.ID))
}
