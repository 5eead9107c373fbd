package relevance

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Languages says in which language a tenant's memories and the questions to them are read. The zero value reads all as
// English.
type Languages struct {
	of   map[string]text.Language // by tenant
	rest text.Language
}

// LanguagesFormat ends the sentence "it must be …" about a text that ParseLanguages refuses.
const LanguagesFormat = "tenant=language with commas between, each tenant once, * for all others, and languages english, simple or cjk"

// tenantName is what the API takes for a tenant.
var tenantName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ParseLanguages reads a list such as "acme=cjk,beta=simple,*=english"; the star stands for every tenant not named,
// which are English without it. Spaces around names don't count, and an empty text is an empty list. The error names the
// part that cannot be used.
func ParseLanguages(list string) (Languages, error) {
	l := Languages{of: map[string]text.Language{}}
	if strings.TrimSpace(list) == "" {
		return l, nil
	}
	named := map[string]bool{}
	for part := range strings.SplitSeq(list, ",") {
		tenant, name, _ := strings.Cut(part, "=")
		tenant, name = strings.TrimSpace(tenant), strings.TrimSpace(name)
		language, known := text.ParseLanguage(name)
		switch {
		case !known:
			return Languages{}, fmt.Errorf("%q names no language", part)
		case tenant != "*" && (len(tenant) > 64 || !tenantName.MatchString(tenant)):
			return Languages{}, fmt.Errorf("%q names no tenant", part)
		case named[tenant]:
			return Languages{}, fmt.Errorf("%q says again what %q is", part, tenant)
		}
		named[tenant] = true
		if tenant == "*" {
			l.rest = language
		} else {
			l.of[tenant] = language
		}
	}
	return l, nil
}

// Of is the language of a scope: its tenant's.
func (l Languages) Of(scope memory.Scope) text.Language {
	if language, ok := l.of[scope.Tenant]; ok {
		return language
	}
	return l.rest
}
