package block

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	words "github.com/rae-memory/rae/pkg/text"
)

var namePattern = regexp.MustCompile(NamePattern)

// complaints collects everything that is wrong with one request, so that a caller mends it in one round.
type complaints []fault.Field

func (c *complaints) add(at, format string, args ...any) {
	*c = append(*c, fault.Field{Location: at, Message: fmt.Sprintf(format, args...)})
}

// err returns an Invalid fault that names every field, or nil.
func (c complaints) err() error {
	if len(c) == 0 {
		return nil
	}
	said := make([]string, len(c))
	for i, field := range c {
		said[i] = field.Location + " " + field.Message
	}
	return &fault.Error{Kind: fault.Invalid, Message: strings.Join(said, "; "), Fields: c}
}

// check reports what cannot be whose a block is.
func (o Owner) check() error {
	var c complaints
	c.id("query.agent_id", o.AgentID)
	c.id("query.user_id", o.UserID)
	return c.err()
}

// Check reports what cannot name a block.
func (r Ref) Check() error {
	var c complaints
	if !namePattern.MatchString(r.Name) {
		c.add("path.name", "must be 1 to %d lower-case letters a to z, digits, dashes or underscores, and begin with a letter", MaxName)
	}
	c.id("query.agent_id", r.AgentID)
	c.id("query.user_id", r.UserID)
	return c.err()
}

// id checks the id of a user or an agent as memories have it.
func (c *complaints) id(at, id string) { c.line(at, id, MaxID) }

// line checks a text of one line.
func (c *complaints) line(at, text string, most int) {
	switch {
	case !utf8.ValidString(text):
		c.add(at, "must be valid UTF-8")
	case utf8.RuneCountInString(text) > most:
		c.add(at, "must be at most %d characters", most)
	case strings.ContainsFunc(text, words.Hidden):
		c.add(at, "must not contain control characters")
	}
}

// stored checks what of a text no store could keep.
func (c *complaints) stored(at, text string) {
	switch {
	case !utf8.ValidString(text):
		c.add(at, "must be valid UTF-8")
	case strings.IndexByte(text, 0) >= 0:
		c.add(at, "must not contain NUL characters")
	}
}

// check reports what a block must not be; at is the field its content came from.
func (b *Block) check(at string) error {
	var c complaints
	c.stored(at, b.Content)
	c.line("body.description", b.Description, MaxDescription)
	if b.Limit < 1 || b.Limit > MaxLimit {
		c.add("body.limit", "must be 1 to %d", MaxLimit)
	} else if n := utf8.RuneCountInString(b.Content); n > b.Limit {
		c.add(at, "makes %d characters, and the block may have %d", n, b.Limit)
	}
	if b.Position < 0 || b.Position > MaxPosition {
		c.add("body.position", "must be 0 to %d", MaxPosition)
	}
	return c.err()
}

// Settings is what a Put says of a block. What is nil stays as it is; of a block that did not stand it is the default: no
// text, DefaultLimit, position 0, not read-only.
type Settings struct {
	Content     *string `json:"content,omitempty" maxLength:"20000" doc:"The text. Nothing of it is cut: more than limit is refused."`
	Description *string `json:"description,omitempty" maxLength:"500" doc:"What it is for."`
	Limit       *int    `json:"limit,omitempty" minimum:"1" maximum:"20000" doc:"Characters its content may have; 2000 at first."`
	Position    *int    `json:"position,omitempty" minimum:"0" maximum:"1000" doc:"Its place among its owner's blocks in a context: the lowest first, ties by name; 0 at first."`
	ReadOnly    *bool   `json:"read_only,omitempty" doc:"Nobody is to change its text in passing: only a PUT that says read_only, whichever way, changes it."`
}

// apply returns the block as the settings make it.
func (s *Settings) apply(b Block) (Block, error) {
	before := b
	set(&b.Content, s.Content)
	set(&b.Description, s.Description)
	set(&b.Limit, s.Limit)
	set(&b.Position, s.Position)
	set(&b.ReadOnly, s.ReadOnly)
	if err := b.check("body.content"); err != nil {
		return b, err
	}
	if before.ReadOnly && s.ReadOnly == nil && b.Content != before.Content {
		return b, readOnly(&b, "say read_only in the request to change its text")
	}
	return b, nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func readOnly(b *Block, advice string) error {
	return fault.New(fault.Conflict, "block %s is read-only: %s", b.Name, advice)
}

// Edit changes a part of a text, so that an agent need not send the whole again. Exactly one of the two is given.
type Edit struct {
	Append  *string      `json:"append,omitempty" minLength:"1" maxLength:"20000" doc:"Put at the end, on a line of its own."`
	Replace *Replacement `json:"replace,omitempty" doc:"Exchanges one passage for another."`
}

// Replacement exchanges a passage that stands in the text exactly once.
type Replacement struct {
	Old string `json:"old" minLength:"1" maxLength:"20000" doc:"The passage, letter for letter. It must stand in the text exactly once."`
	New string `json:"new" maxLength:"20000" doc:"What to put in its place; empty takes it out."`
}

// check reports what is wrong with an edit whatever it is of.
func (e *Edit) check() error {
	var c complaints
	if (e.Append == nil) == (e.Replace == nil) {
		c.add("body", "must have exactly one of append and replace")
		return c.err()
	}
	if e.Append != nil {
		c.stored("body.append", *e.Append)
		if *e.Append == "" {
			c.add("body.append", "must not be empty")
		}
		return c.err()
	}
	c.stored("body.replace.old", e.Replace.Old)
	c.stored("body.replace.new", e.Replace.New)
	if e.Replace.Old == "" {
		c.add("body.replace.old", "must not be empty")
	}
	return c.err()
}

// apply returns the block with the edit made.
func (e *Edit) apply(b Block) (Block, error) {
	if b.ReadOnly {
		return b, readOnly(&b, "its text is changed by PUT alone")
	}
	if e.Append != nil {
		if b.Content != "" && !strings.HasSuffix(b.Content, "\n") {
			b.Content += "\n"
		}
		b.Content += *e.Append
		return b, b.check("body.append")
	}
	if n := strings.Count(b.Content, e.Replace.Old); n != 1 {
		message := "does not stand in the text; read the block again"
		if n > 1 {
			message = fmt.Sprintf("stands in the text %d times; give more of what is around it", n)
		}
		return b, &fault.Error{
			Kind: fault.Conflict, Message: "body.replace.old " + message,
			Fields: []fault.Field{{Location: "body.replace.old", Message: message}},
		}
	}
	b.Content = strings.Replace(b.Content, e.Replace.Old, e.Replace.New, 1)
	return b, b.check("body.replace.new")
}
