package extract

import (
	"regexp"
	"sync"
)

// rule is a sentence of another language: what its first group holds is the object.
type rule struct {
	relation, typ string
	pattern       *regexp.Regexp
}

const properName = `(\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+){0,3})`

// abroad are the plainest sentences of languages whose names keep their form in them, by language. Nothing here reads
// "no longer", so sentences with a negation are left out before.
var abroad = sync.OnceValue(func() map[string][]rule {
	read := func(relation, typ, pattern string) rule { return rule{relation, typ, regexp.MustCompile(pattern)} }
	return map[string][]rule{
		"de": {
			read("lives_in", "place", `(?:^|[,;] |und )(?:[Ii]ch )?(?:wohne|lebe) (?:jetzt |seit \d{4} )?in `+properName+`\b`),
			read("works_at", "organisation", `(?:^|[,;] |und )(?:[Ii]ch )?arbeite (?:jetzt |seit \d{4} )?bei (?:der )?`+properName+`\b`),
			read("name", "", `(?:^|[,;] |und )[Ii]ch heiße `+properName+`\b`),
			read("name", "", `^Mein Name ist `+properName+`\b`),
			read("married_to", "person", `^Mein(?:e Frau| Mann) (?:heißt |ist )?`+properName+`\b`),
			read("age", "", `(?:^|[,;] |und )[Ii]ch bin (\d{1,3}) Jahre alt\b`),
		},
		"es": {
			read("lives_in", "place", `(?:^|[,;] |y )[Vv]ivo en `+properName),
			read("name", "", `(?:^|[,;] )[Mm]e llamo `+properName),
			read("age", "", `(?:^|[,;] |y )[Tt]engo (\d{1,3}) años\b`),
		},
		"fr": {
			read("lives_in", "place", `(?:^|[,;] |et )[Jj]['’]habite à `+properName),
			read("works_at", "organisation", `(?:^|[,;] |et )[Jj]e travaille chez `+properName),
			read("name", "", `(?:^|[,;] )[Jj]e m['’]appelle `+properName),
			read("age", "", `(?:^|[,;] |et )[Jj]['’]ai (\d{1,3}) ans\b`),
		},
		"pl": {
			read("name", "", `(?:^|[,;] )[Nn]azywam się `+properName),
			read("age", "", `(?:^|[,;] )[Mm]am (\d{1,3}) lat\b`),
		},
	}
})
