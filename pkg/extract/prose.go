package extract

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

// maxSentence is how long something may be and still be a sentence, in bytes. What is longer is a blob.
const maxSentence = 1000

// passage is a sentence of prose of a memory, and who says it.
type passage struct {
	text.Span
	speaker text.Span // the label or header that says who; empty: whoever says the memory
}

// passages are the sentences of prose in a text: code, tables, traces, logs, quoted mail and blobs are left out. A line
// that opens with somebody's name and a colon is that person's, in texts with such lines; a mail with a header "From" is
// its sender's.
func passages(s string) []passage {
	var all []passage
	var speaker text.Span
	lines := linesOf(s)
	transcript := isTranscript(s, lines)
	header := true // at the head of what may be a mail
	fence := ""
	for _, line := range lines {
		written := s[line.Start:line.End]
		trimmed := strings.TrimSpace(written)
		if mark := fenceMark(trimmed); mark != "" && (fence == "" || strings.HasPrefix(mark, fence)) {
			if fence == "" {
				fence = mark
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" || trimmed == "" {
			header = header && trimmed != ""
			continue
		}
		if header {
			if key, value, ok := strings.Cut(trimmed, ":"); ok && mailHeaders[strings.ToLower(key)] {
				if strings.EqualFold(key, "from") {
					speaker = senderIn(s, line, value)
				}
				continue
			}
			header = false
		}
		if !isProse(written, trimmed) {
			continue
		}
		if transcript {
			if label, ok := labelOf(written); ok {
				speaker = text.Span{Start: line.Start + label.Start, End: line.Start + label.End}
				line.Start += label.End + 1
			}
		}
		for _, sentence := range sentences(s[line.Start:line.End]) {
			sentence.Start, sentence.End = sentence.Start+line.Start, sentence.End+line.Start
			if sentence.End-sentence.Start <= maxSentence {
				all = append(all, passage{sentence, speaker})
			}
		}
	}
	return all
}

var mailHeaders = words("from to cc bcc subject date sent reply-to")

// linesOf splits at line feeds.
func linesOf(s string) []text.Span {
	var lines []text.Span
	for start := 0; start <= len(s); {
		end := strings.IndexByte(s[start:], '\n')
		if end < 0 {
			end = len(s) - start
		}
		lines = append(lines, text.Span{Start: start, End: start + end})
		start += end + 1
	}
	return lines
}

// fenceMark is the ``` or ~~~ that a line opens with.
func fenceMark(line string) string {
	for _, mark := range []string{"```", "~~~"} {
		if strings.HasPrefix(line, mark) && !strings.Contains(line[3:], mark) {
			return mark
		}
	}
	return ""
}

// codeLine is what lines of code, traces and logs look like.
var codeLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:at [\w.$<>]+\(|File "|Traceback |(?:func|def|class|import|package|return|const|var|let|public|private|#include|SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE) ?[\w({"'*.]|</?[a-zA-Z!][^>]*>|\w+(?:\.\w+)*(?:Error|Exception)\b|\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\$ |>>> )`)
})

// isProse tells a line of prose from quoted mail, code, tables and blobs.
func isProse(written, trimmed string) bool {
	switch {
	case strings.HasPrefix(trimmed, ">"), strings.HasPrefix(trimmed, "|"), strings.HasPrefix(written, "\t"), strings.HasPrefix(written, "     "):
		return false
	case strings.HasSuffix(trimmed, "wrote:"), strings.Count(trimmed, "|") > 2:
		return false
	case strings.HasSuffix(trimmed, ";"), strings.HasSuffix(trimmed, "{"), strings.HasSuffix(trimmed, "}"), strings.Contains(trimmed, "=>"), strings.Contains(trimmed, "()"):
		return false
	}
	head := trimmed[:min(len(trimmed), 200)]
	return !codeLine().MatchString(head)
}

// isTranscript reports whether two lines or more open with names, or the only line does.
func isTranscript(s string, lines []text.Span) bool {
	labels, filled := 0, 0
	for _, line := range lines {
		if written := s[line.Start:line.End]; strings.TrimSpace(written) != "" {
			filled++
			if _, ok := labelOf(written); ok {
				labels++
			}
		}
	}
	return labels > 1 || labels == 1 && filled == 1
}

// labelOf finds the name a line opens with before a colon and a space.
func labelOf(line string) (text.Span, bool) {
	colon := strings.Index(line[:min(len(line), 40)], ": ")
	if colon < 2 {
		return text.Span{}, false
	}
	name := line[:colon]
	start := len(name) - len(strings.TrimLeft(name, " *_"))
	name = strings.TrimRight(name[start:], " *_")
	if !relevance.IsName(name) || name == "" || !isUpper(name) || strings.ContainsAny(name, "0123456789,;-#") {
		return text.Span{}, false
	}
	for word := range strings.FieldsSeq(name) {
		if !isUpper(word) || noNames[strings.ToLower(word)] || roles[strings.ToLower(word)] || labels[strings.ToLower(word)] || text.StopWord(strings.ToLower(word)) {
			return text.Span{}, false
		}
	}
	return text.Span{Start: start, End: start + len(name)}, true
}

// senderIn is the name in the header "From".
func senderIn(s string, line text.Span, value string) text.Span {
	name, _, _ := strings.Cut(value, "<")
	name = strings.Trim(name, " \t\"\r")
	at := strings.Index(s[line.Start:line.End], name)
	if name == "" || at < 0 || !isUpper(name) || !relevance.IsName(name) {
		return text.Span{}
	}
	return text.Span{Start: line.Start + at, End: line.Start + at + len(name)}
}

// sentences are text.Sentences of a line, those that only an abbreviation's full stop parts put together.
func sentences(line string) []text.Span {
	all := text.Sentences(line)
	merged := all[:0]
	for _, next := range all {
		if n := len(merged); n > 0 && abbreviated(line[merged[n-1].Start:merged[n-1].End]) && next.End-merged[n-1].Start <= maxSentence {
			merged[n-1].End = next.End
			continue
		}
		merged = append(merged, next)
	}
	return slices.Clip(merged)
}

// abbreviated reports whether a sentence ends with an abbreviation that wants a word behind it.
func abbreviated(sentence string) bool {
	word := sentence[strings.LastIndexAny(sentence, " \t(")+1:]
	return dotted(word)
}

// dotted reports whether a word with its full stop is a title or an initial: "Dr.", "J.".
func dotted(word string) bool {
	stem, ok := strings.CutSuffix(word, ".")
	if !ok {
		return false
	}
	r, size := utf8.DecodeRuneInString(stem)
	return titles[strings.ToLower(stem)] || stem == "St" || stem == "Mt" || size > 0 && size == len(stem) && unicode.IsUpper(r) && stem != "I"
}

func isUpper(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(r)
}
