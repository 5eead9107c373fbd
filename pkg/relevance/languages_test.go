package relevance_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]map[string]text.Language{
		"":                              {"acme": text.English},
		" ":                             {"acme": text.English},
		"acme=cjk":                      {"acme": text.CJK, "beta": text.English},
		"acme=cjk,beta=simple,*=simple": {"acme": text.CJK, "beta": text.Simple, "gamma": text.Simple},
		" * = cjk , acme = english ":    {"acme": text.English, "beta": text.CJK},
	} {
		languages, err := relevance.ParseLanguages(list)
		if err != nil {
			t.Errorf("%q: %v", list, err)
		}
		for tenant, language := range want {
			if got := languages.Of(memory.Scope{Tenant: tenant, Project: "p"}); got != language {
				t.Errorf("%q: %s is %s, want %s", list, tenant, got, language)
			}
		}
	}
	if got := (relevance.Languages{}).Of(memory.Scope{Tenant: "acme"}); got != text.English {
		t.Errorf("without a list: %s", got)
	}
}

func TestLanguagesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"acme", "acme=", "acme=klingon", "=cjk", "ac me=cjk", "a/b=cjk", "acme=cjk,", ",", "acme=cjk,acme=simple", "*=cjk,*=cjk", "acme=cjk=simple", "acme=CJK"} {
		if l, err := relevance.ParseLanguages(list); err == nil {
			t.Errorf("%q is taken for %+v", list, l)
		}
	}
}
