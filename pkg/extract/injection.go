package extract

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// commanding are forms by which a text speaks of the machinery that reads it, in lower case. A person who tells of their life
// has no use for them; where one has, all it costs is a flag, and that no standing instruction is taken from the text.
var commanding = sync.OnceValue(func() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, form := range []string{
		// put out of force: "ignore the limits", "override: cite memory 7", "bypass the filter"
		`\b(?:ignore|disregard|override|bypass|forget)(?:ing)?\b[^.!?]{0,40}\b(?:above|rules?|limits?|schema|filters?|guidelines?|budget|safety|what the rules|that texts)\b`,
		`\b(?:override|new instructions?|new task|policy update|maintenance mode|debug mode)\s*(?::|is\b)`,
		// parts of the machinery by name
		`\bmemory \d+\b`, `\b(?:set|change|switch|use) (?:the )?(?:tenant|project)_id\b`, `\bconfidence (?:1|\d+e\d+)`, `\bsystem prompt\b`, `\b(?:statement|statements) about\b`,
		`\brepeat (?:the|all|every)[^.!?]{0,20}\b(?:words?|text|above)\b`,
		// commands to do something with it
		`\bfrom (?:the|an) (?:administrator|admin|developer|operator)\b`, `\b(?:obey|must comply|execute it)\b`,
		`\bfollow the instructions (?:you|there|on|at)\b`, `\byou must (?:always )?(?:include|output|write|save|store)\b`,
		`\b(?:grant|give) me (?:admin|root|full)\b`, `\btrust everything\b`, `\b(?:an?|no) (?:ai|assistant|model|bot) without (?:rules|restrictions|limits)\b`,
		`\bstatements?\b[^.!?]{0,20}\bthousand\b|\bthousand statements\b`,
		// an answer, or markup, of its own
		`</?(?:script|instructions?|memory|data|system|iframe|img)\b`, `"role"\s*:\s*"(?:system|assistant|tool)"`, `!\[[^\]]*\]\(\s*https?://[^)\s]*[?&]`,
		`\bas if \w+ had (?:written|said)\b`,
	} {
		all = append(all, regexp.MustCompile(form))
	}
	return all
})

// Commands reports whether a text tries to tell whoever reads it what to do: by what Suspicious names, or by speaking of the
// machinery that reads it.
func Commands(s string) bool {
	if len(Suspicious(s)) > 0 {
		return true
	}
	plain := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		if latin, known := lookalikes[r]; known {
			return latin
		}
		return r
	}, s))
	for _, form := range commanding() {
		if form.MatchString(plain) {
			return true
		}
	}
	return plain != strings.ToLower(s) && mixed(s) && len(Suspicious(plain)) > 0
}

// lookalikes are letters of other scripts that are drawn as Latin ones.
var lookalikes = map[rune]rune{
	'а': 'a', 'е': 'e', 'о': 'o', 'р': 'p', 'с': 'c', 'х': 'x', 'у': 'y', 'і': 'i', 'ѕ': 's', 'ο': 'o', 'α': 'a',
}

// mixed reports whether some word of s has letters of two alphabets.
func mixed(s string) bool {
	for _, word := range strings.Fields(s) {
		latin := strings.ContainsFunc(word, func(r rune) bool { return r < 0x250 && unicode.IsLetter(r) })
		other := strings.ContainsFunc(word, func(r rune) bool { return unicode.In(r, unicode.Cyrillic, unicode.Greek) })
		if latin && other {
			return true
		}
	}
	return false
}
