package extract

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rae-memory/rae/pkg/knowledge"
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

// readAbroad takes the plainest statements out of a sentence that is not English.
func (r *reader) readAbroad(p passage) {
	r.speaker, r.hasSpeaker = r.speakerOf(p.speaker)
	sentence := r.content[p.Start:p.End]
	if !r.hasSpeaker || strings.ContainsAny(sentence, `?"„“«`) || len(sentence) > 300 {
		return
	}
	lower := strings.Fields(strings.ToLower(sentence))
	if slices.ContainsFunc(lower, func(w string) bool { return unsureAbroad[strings.Trim(w, ",.!;:")] }) {
		return
	}
	r.pending = r.pending[:0]
	for _, rule := range abroad()[r.out.Language] {
		at := rule.pattern.FindStringSubmatchIndex(sentence)
		if at == nil {
			continue
		}
		name := sentence[at[2]:at[3]]
		if noPlaces[strings.ToLower(name)] {
			continue
		}
		object := knowledge.Mention{Name: name, Type: rule.typ, Start: p.Start + at[2], End: p.Start + at[3]}
		st := knowledge.Statement{Kind: knowledge.Told, Subject: r.speaker, Relation: rule.relation, Object: object, Literal: rule.typ == "",
			Confidence: .85, Start: p.Start + at[0], End: p.Start + at[1]}
		if rule.relation == "name" || !strings.EqualFold(st.Subject.Name, name) {
			r.keep(st)
		}
	}
}

// noPlaces are German nouns that stand behind "wohne in" and "arbeite bei".
var noPlaces = words("untermiete miete regen nacht wg wohngemeinschaft ruhe frieden eile scheidung angst sünde schicht trennung hitze kälte schnee wind sonne tag licht gelegenheit")

var unsureAbroad = words(`wenn ob würde wäre könnte vielleicht nicht nie kein keine sagt sagte falls hätte früher si quizás quizá ojalá tal no nunca dice dijo antes
	peut-être ne pas jamais dit disait aurais serais jeśli może nie nigdy mówi powiedział gdyby czy`)
