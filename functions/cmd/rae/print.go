package main

import (
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
)

// printJSON writes one value on one line.
func (p *program) printJSON(v any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// table returns a writer whose columns, separated by tabs, come out aligned when it is flushed.
func (p *program) table() *tabwriter.Writer { return tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0) }

// isTerminal reports whether people look at the stream.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width is how many columns the stream has for people, 100 where nobody knows.
func width(stream io.Writer) int {
	if file, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns >= 40 {
			return min(columns, 120)
		}
	}
	return 100
}

// faint and bold dress text up for a terminal.
func (p *program) faint(s string) string { return p.dress("2", s) }
func (p *program) bold(s string) string  { return p.dress("1", s) }

// plain reports whether the person wants no colours: NO_COLOR has a value, whatever it is (no-color.org).
func (p *program) plain() bool { return p.or("NO_COLOR", "") != "" }

func (p *program) dress(code, s string) string {
	if p.plain() || !isTerminal(p.stdout) {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// printable takes out what would move a terminal's cursor or change its settings: contents come from anywhere.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// wrapped breaks text into lines of at most columns runes, at most lines of them; what does not fit ends in "…".
func wrapped(text string, columns, lines int) []string {
	var out []string
	line := ""
	flush := func() { out, line = append(out, line), "" }
	for word := range strings.FieldsSeq(printable(text)) {
		for _, piece := range pieces(word, columns) {
			if line != "" && runes(line)+1+runes(piece) > columns {
				flush()
			}
			if len(out) == lines {
				last := []rune(out[lines-1])
				out[lines-1] = string(last[:min(len(last), columns-1)]) + "…"
				return out
			}
			if line != "" {
				line += " "
			}
			line += piece
		}
	}
	if line != "" {
		flush()
	}
	return out
}

// pieces cuts a word that is longer than a line.
func pieces(word string, columns int) []string {
	all := []rune(word)
	var out []string
	for len(all) > columns {
		out, all = append(out, string(all[:columns])), all[columns:]
	}
	return append(out, string(all))
}

func runes(s string) int { return len([]rune(s)) }

// thousands writes a count as people read it: 12,345.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// counted writes a count with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// size writes bytes as people read them.
func size(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000*1000:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	case n < 1000*1000*1000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 2, 64) + " GB"
}
