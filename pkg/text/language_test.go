package text_test

import (
	"reflect"
	"testing"

	"github.com/rae-memory/rae/pkg/text"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		language text.Language
		in       string
		want     []string
	}{
		{"english stems and stops", text.English, "The Cafés went", []string{"cafe", "go"}},
		{"simple keeps every word as it stands", text.Simple, "The Cafés went", []string{"the", "cafes", "went"}},
		{"simple has bigrams too", text.Simple, "今天天气", []string{"今天", "天天", "天气"}},
		{"simple leaves widths alone", text.Simple, "ｶﾒﾗ", []string{"ｶﾒ", "ﾒﾗ"}},
		{"cjk keeps every word as it stands", text.CJK, "The Cafés went", []string{"the", "cafes", "went"}},
		{"cjk folds half-width kana", text.CJK, "ｶﾒﾗ", []string{"カメ", "メラ"}},
		{"cjk joins marks of voicing", text.CJK, "ｶﾞｷﾞ ﾊﾟﾝ", []string{"ガギ", "パン"}},
		{"cjk composes what came decomposed", text.CJK, "か\u3099き\u3099", []string{"がぎ"}},
		{"cjk folds full-width latin", text.CJK, "ＲＡＥ１２", []string{"rae12"}},
		{"cjk takes a long vowel's mark along", text.CJK, "コーヒーとｺｰﾋｰ", []string{"コー", "ーヒ", "ヒー", "ーと", "とコ", "コー", "ーヒ", "ヒー"}},
		{"cjk mixes scripts", text.CJK, "買ったMacBookです", []string{"買っ", "った", "macbook", "です"}},
		{"a mark of voicing behind nothing", text.CJK, "ﾞ", []string{"\u3099"}},
		{"invalid utf-8 between widths", text.CJK, "ｶ\xffﾒﾗ", []string{"カ", "メラ"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := terms(c.language.Analyze(c.in)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %q becomes %q, want %q", c.language, c.in, got, c.want)
			}
		})
	}
}

func TestLanguagesKeepSpansInTheSource(t *testing.T) {
	t.Parallel()
	const in = "新しいｶﾞﾗｽ、ＲＡＥ"
	var got []string
	for _, token := range text.CJK.Analyze(in) {
		got = append(got, in[token.Start:token.End])
	}
	if want := []string{"新し", "しい", "いｶﾞ", "ｶﾞﾗ", "ﾗｽ", "ＲＡＥ"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLanguagesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, l := range []text.Language{text.English, text.Simple, text.CJK} {
		if got, ok := text.ParseLanguage(l.String()); !ok || got != l {
			t.Errorf("%s is read as %s, %v", l, got, ok)
		}
	}
	for _, name := range []string{"", "English", "klingon"} {
		if l, ok := text.ParseLanguage(name); ok {
			t.Errorf("%q is read as %s", name, l)
		}
	}
}
