// Package tokens tells how many tokens a text is to a language model: it counts as cl100k_base and o200k_base do, the
// tokenizers of OpenAI's models. Both cut a text into pieces by a pattern and then join the bytes of each piece by a
// ranked list of tokens, best rank first (byte-pair encoding: Sennrich, Haddow & Birch, "Neural Machine Translation of
// Rare Words with Subword Units", 2016). The lists are 2.3 MB of the binary. Package test/tokens compares with another
// implementation.
package tokens

import (
	"sync"
	"unicode/utf8"
)

// Counter counts tokens. The zero value is ready; the lists are read, once, when something is first counted, and take
// 5 MB of memory from then on. Methods may be called at once.
type Counter struct {
	once  sync.Once
	ranks []ranks
}

// Count returns how many tokens s is to cl100k_base or to o200k_base, whichever makes more of it; a run of more than 512
// bytes without a break counts as its bytes, which is never less. Texts joined where the first ends in "\n" and the
// second begins with neither white space nor "/" are, together, at most as many as one by one.
func (c *Counter) Count(s string) int {
	most := 0
	for i := range c.loaded() {
		most = max(most, c.count(i, s, len(s)))
	}
	return most
}

// Fits reports whether s is at most limit tokens. It takes time by the limit, not by the length of s.
func (c *Counter) Fits(s string, limit int) bool {
	if limit < 0 {
		return false
	}
	if len(s) <= limit { // a token is a byte or more
		return true
	}
	for i := range c.loaded() {
		if c.count(i, s, limit) > limit {
			return false
		}
	}
	return true
}

// count stops when it has passed the limit.
func (c *Counter) count(tokenizer int, s string, limit int) (n int) {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // what is no UTF-8 reaches a model as U+FFFD, byte by byte
	}
	for len(s) > 0 && n <= limit {
		end := tokenizers[tokenizer].cut(s)
		n += c.ranks[tokenizer].count(s[:end])
		s = s[end:]
	}
	return n
}

func (c *Counter) loaded() []ranks {
	c.once.Do(func() {
		for _, t := range tokenizers {
			c.ranks = append(c.ranks, readRanks(t.merges))
		}
	})
	return c.ranks
}
