package text_test

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
)

func terms(tokens []text.Token) []string {
	var out []string
	for _, t := range tokens {
		out = append(out, t.Term)
	}
	return out
}

func TestAnalyze(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"stems and drops question words", "When did Caroline go to the support groups?", []string{"carolin", "go", "support", "group"}},
		{"irregular forms find their base", "the children went and broke", []string{"child", "go", "break"}},
		{"a verb is not taken for a plural", "she lives here and leaves", []string{"live", "leav"}},
		{"possessive is cut", "Melanie's kids", []string{"melani", "kid"}},
		{"typographic apostrophe", "Melanie’s don’t", []string{"melani"}},
		{"identifiers split", "SN-270196 error_code=500", []string{"sn", "270196", "error", "code", "500"}},
		{"accents fold", "Café Zürich", []string{"cafe", "zurich"}},
		{"han becomes bigrams", "今天天气", []string{"今天", "天天", "天气"}},
		{"lone han character", "猫 cat", []string{"猫", "cat"}},
		{"mixed script", "买MacBook了", []string{"买", "macbook", "了"}},
		{"cyrillic keeps words", "Привет, мир", []string{"привет", "мир"}},
		{"emoji only", "🎉🎉", nil},
		{"empty", "", nil},
		{"invalid utf-8 is skipped", "a\xffbc", []string{"bc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := terms(text.Analyze(c.in)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("Analyze(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	in := "It cost 3.5 euros.  Really?\nYes! See example.org now"
	var got []string
	for _, s := range text.Sentences(in) {
		got = append(got, in[s.Start:s.End])
	}
	want := []string{"It cost 3.5 euros.", "Really?", "Yes!", "See example.org now"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzSpansLieInTheSource(f *testing.F) {
	for _, s := range []string{"a b", "don't", "今天x", "\xff\xfe", "ﬁancé's", "́́'", "ｶﾞ\xffﾊﾟーか\u3099\u3099", "Ａ＇ｓ가"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		inTheSource(t, s, text.Words(s))
		for _, language := range []text.Language{text.English, text.Simple, text.CJK} {
			inTheSource(t, s, language.Analyze(s))
		}
		end := 0
		for _, sp := range text.Sentences(s) {
			if sp.Start < end || sp.End > len(s) || sp.Start >= sp.End {
				t.Fatalf("sentence [%d:%d] of %q", sp.Start, sp.End, s)
			}
			end = sp.End
		}
	})
}

func inTheSource(t *testing.T, s string, tokens []text.Token) {
	t.Helper()
	last := 0
	for _, tok := range tokens {
		if tok.Start < 0 || tok.End > len(s) || tok.Start >= tok.End || tok.Start < last {
			t.Fatalf("span [%d:%d] of %q (previous start %d)", tok.Start, tok.End, s, last)
		}
		if tok.Term == "" || !utf8.ValidString(tok.Term) {
			t.Fatalf("term %q of %q", tok.Term, s)
		}
		last = tok.Start
	}
}

func BenchmarkAnalyze(b *testing.B) {
	in := "I went to a LGBTQ support group yesterday and it was so powerful. The transgender stories were inspiring!"
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		text.Analyze(in)
	}
}
