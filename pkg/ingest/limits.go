package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	words "github.com/rae-memory/rae/pkg/text"
)

// The limits of everything a caller may send. Lengths of short texts are in characters, sizes in bytes.
const (
	MaxContent       = 1 << 20 // bytes of one memory's content
	MaxTags          = 64
	MaxTag           = 128
	MaxMetadataKeys  = 256
	MaxMetadataKey   = 128
	MaxMetadataBytes = 64 << 10 // of the object as JSON
	MaxMetadataDepth = 8        // the object itself is depth 1
	MaxName          = 256      // source, external_id, user_id, agent_id, session_id, names and types of entities
	MaxEntities      = 256
	MaxTTLSeconds    = 10 * 365 * 24 * 60 * 60
	MaxBatch         = 1000    // memories in one batch
	MaxMessages      = 1000    // turns in one post of a conversation
	MaxMessageID     = 128     // the caller's id of one turn
	MaxRole          = 64      // role of one turn
	MaxLine          = 4 << 20 // bytes of one line of an import
	MaxLineErrors    = 1000    // refused lines reported one by one; all are counted
)

// The years a time may lie in. Outside them a time is a unit mix-up (milliseconds read as seconds) far more often
// than it is meant.
const (
	firstYear = 1970
	lastYear  = 2200 // inclusive
)

// complaints collects everything that is wrong with one input, so that a caller mends it in one round.
type complaints struct {
	prefix string // what stands before a field's name: "body.", "body.memories[3].", ""
	fields []fault.Field
}

// most is how many complaints are kept: more would answer a hostile body with a larger one.
const most = 32

func (c *complaints) add(name, format string, args ...any) {
	if len(c.fields) < most {
		c.fields = append(c.fields, fault.Field{Location: c.prefix + name, Message: fmt.Sprintf(format, args...)})
	}
}

// err returns an Invalid fault that names every field, or nil.
func (c *complaints) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	said := make([]string, len(c.fields))
	for i, field := range c.fields {
		said[i] = field.Location + " " + field.Message
	}
	return &fault.Error{Kind: fault.Invalid, Message: strings.Join(said, "; "), Fields: c.fields}
}

// name checks a short text: at most max characters, none of them a control or a bidirectional override, which
// would make two different names look alike. Empty is allowed.
func (c *complaints) name(at, text string, max int) {
	switch {
	case !utf8.ValidString(text):
		c.add(at, "must be valid UTF-8")
	case utf8.RuneCountInString(text) > max:
		c.add(at, "must be at most %d characters", max)
	case strings.ContainsFunc(text, words.Hidden):
		c.add(at, "must not contain control characters")
	}
}

// content checks the text of a memory: 1 byte to 1 MiB of UTF-8 that is not blank and holds no NUL, which no SQL
// text can carry. Everything else is stored as it came.
func (c *complaints) content(at, text string) {
	switch {
	case text == "":
		c.add(at, "must not be empty")
	case len(text) > MaxContent:
		c.add(at, "must be at most %d bytes", MaxContent)
	case !utf8.ValidString(text):
		c.add(at, "must be valid UTF-8")
	case strings.IndexByte(text, 0) >= 0:
		c.add(at, "must not contain NUL characters")
	case strings.TrimSpace(text) == "":
		c.add(at, "must not be only whitespace")
	}
}

func (c *complaints) layer(at string, layer memory.Layer) {
	if !layer.Valid() {
		c.add(at, "must be one of sensory, episodic, working, semantic, longterm, reflective")
	}
}

// tags checks a list of tags and returns it without repetitions, in the order given, never nil.
func (c *complaints) tags(at string, tags []string) []string {
	if len(tags) > MaxTags {
		c.add(at, "must be at most %d tags", MaxTags)
		return []string{}
	}
	kept := make([]string, 0, len(tags))
	seen := make(map[string]bool, len(tags))
	for i, tag := range tags {
		if tag == "" {
			c.add(at+"["+strconv.Itoa(i)+"]", "must not be empty")
		}
		c.name(at+"["+strconv.Itoa(i)+"]", tag, MaxTag)
		if !seen[tag] {
			seen[tag] = true
			kept = append(kept, tag)
		}
	}
	return kept
}

// metadata checks keys, depth, numbers and size of the caller's object.
func (c *complaints) metadata(at string, m memory.Metadata) {
	if len(m) == 0 {
		return
	}
	if len(m) > MaxMetadataKeys {
		c.add(at, "must have at most %d keys", MaxMetadataKeys)
		return
	}
	before := len(c.fields)
	c.value(at, map[string]any(m), 1)
	if len(c.fields) > before {
		return
	}
	if b, err := json.Marshal(m); err != nil || len(b) > MaxMetadataBytes {
		c.add(at, "must be at most %d bytes as JSON", MaxMetadataBytes)
	}
}

// value walks one JSON value; it stops at the depth limit, so its own depth is bounded too.
func (c *complaints) value(at string, v any, depth int) {
	if len(c.fields) >= most {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if depth > MaxMetadataDepth {
			c.add(at, "must not be nested deeper than %d", MaxMetadataDepth)
			return
		}
		for key, inner := range v {
			if key == "" {
				c.add(at, "must not have an empty key")
				continue
			}
			if utf8.RuneCountInString(key) > MaxMetadataKey || strings.ContainsFunc(key, words.Hidden) {
				c.add(at, "must have keys of at most %d characters, without control characters", MaxMetadataKey)
				continue
			}
			c.value(at+"."+key, inner, depth+1)
		}
	case []any:
		if depth > MaxMetadataDepth {
			c.add(at, "must not be nested deeper than %d", MaxMetadataDepth)
			return
		}
		for i, inner := range v {
			c.value(at+"["+strconv.Itoa(i)+"]", inner, depth+1)
		}
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			c.add(at, "must not contain NUL characters")
		}
	case json.Number:
		if !storable(v) {
			c.add(at, "must be a number between -1e308 and 1e308")
		}
	}
}

// storable reports whether every store can keep the number: Postgres keeps exact decimals, but not endless ones.
func storable(n json.Number) bool {
	if len(n) > 400 {
		return false
	}
	if i := strings.IndexAny(string(n), "eE"); i >= 0 {
		exponent, err := strconv.Atoi(string(n)[i+1:])
		if err != nil || exponent < -400 || exponent > 400 {
			return false
		}
	}
	_, err := n.Float64()
	return !errors.Is(err, strconv.ErrRange)
}

func (c *complaints) importance(at string, v float64) {
	if !(v >= 0 && v <= 1) { // NaN is neither
		c.add(at, "must be between 0 and 1")
	}
}

// when checks a time and returns it as it is stored: UTC, in microseconds. nil stays nil.
func (c *complaints) when(at string, t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC().Truncate(time.Microsecond)
	if utc.Year() < firstYear || utc.Year() > lastYear {
		c.add(at, "must lie within the years %d to %d", firstYear, lastYear)
	}
	return &utc
}

// entities checks the things a memory is about; repetitions of a name and type are dropped.
func (c *complaints) entities(at string, entities []Mention) []memory.Entity {
	if len(entities) > MaxEntities {
		c.add(at, "must be at most %d entities", MaxEntities)
		return nil
	}
	var kept []memory.Entity
	seen := make(map[Mention]bool, len(entities))
	for i, e := range entities {
		here := at + "[" + strconv.Itoa(i) + "]"
		if strings.TrimSpace(e.Name) == "" {
			c.add(here+".name", "must not be empty")
		}
		c.name(here+".name", e.Name, MaxName)
		c.name(here+".type", e.Type, MaxName)
		if !seen[e] {
			seen[e] = true
			kept = append(kept, memory.Entity(e))
		}
	}
	return kept
}
