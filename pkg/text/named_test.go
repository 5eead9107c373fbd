package text_test

import (
	"reflect"
	"testing"

	"github.com/rae-memory/rae/pkg/text"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	in := "Later Ada Lovelace wrote to ada@example.org about https://example.org/a. It took 3 weeks, until 7 May 1843.\nA friend of Vincent van Gogh of"
	var got [][2]string
	for _, m := range text.Named(in) {
		if in[m.Start:m.End] != m.Name {
			t.Errorf("%q stands at [%d:%d], where there is %q", m.Name, m.Start, m.End, in[m.Start:m.End])
		}
		got = append(got, [2]string{m.Kind, m.Name})
	}
	want := [][2]string{
		{text.Name, "Ada Lovelace"}, {text.Email, "ada@example.org"}, {text.URL, "https://example.org/a"},
		{text.Quantity, "3 weeks"}, {text.Date, "7 May 1843"}, {text.Name, "Vincent van Gogh"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("named %q, want %q", got, want)
	}
}

func TestFormsAreNotWithinOneAnother(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"see https://example.org/ann@example.org today": text.URL,
		"mail 12@example.org":                           text.Email,
		"on 2024-05-07":                                 text.Date,
		"for 5 months":                                  text.Quantity,
	} {
		if got := text.Forms(in); len(got) != 1 || got[0].Kind != want {
			t.Errorf("%q has %v, want one %s", in, got, want)
		}
	}
}
