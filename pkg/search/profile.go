package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// A Profile says how much more or less each leg counts for one type of question than the deployment's Weights say. A leg
// it does not name counts as they say. Links are followed only where a request names the profile, or their weight, itself.
type Profile struct {
	Name   string
	Of     string             // which questions it is for
	Factor map[string]float64 // by leg, times its weight
}

// Profiles are the types of questions. The first that fits is taken; the last fits all.
func Profiles() []Profile {
	return []Profile{
		{Temporal, "names a time, or asks for one", map[string]float64{"graph": 0}},
		{Relational, "names two or more, or asks how things belong together", map[string]float64{"graph": 3}},
		{Keyword, "a few words, a name, an identifier or code, and no question", map[string]float64{"dense": .6, "graph": 0}},
		{Conceptual, "asks why or how, or to explain", map[string]float64{"dense": 1.5, "graph": 0}},
		{Factual, "everything else", map[string]float64{"graph": 0}},
	}
}

// Names of the profiles.
const (
	Factual    = "factual"
	Conceptual = "conceptual"
	Relational = "relational"
	Keyword    = "keyword"
	Temporal   = "temporal"
)

// profile is the one the request names, or the question asks for.
func (u *understanding) profile(named string) (Profile, error) {
	all := Profiles()
	name := named
	if name == "" {
		name = u.kind()
	}
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range all {
			names = append(names, p.Name)
		}
		return Profile{}, fault.BadField("body.profile", "%q is none of %s", named, strings.Join(names, ", "))
	}
	p := all[i]
	if named == "" { // nothing shows that links help a question that does not ask for them: docs/adr/0069
		p.Factor = maps.Clone(p.Factor)
		p.Factor[string(Graph)] = 0
	}
	return p, nil
}

// kind is the type of the question.
func (u *understanding) kind() string {
	switch {
	case len(u.spans) > 0 || len(u.offsets) > 0 || u.expects&aTime != 0:
		return Temporal
	case u.names > 1 || u.any(relationWords):
		return Relational
	case !u.asks && (len(u.words) <= 4 || u.code && len(u.words) <= 8):
		return Keyword
	case u.any(conceptWords) && u.expects&aNumber == 0:
		return Conceptual
	}
	return Factual
}

var (
	relationWords = []string{"between", "relation", "relationship", "related", "relate", "connected", "connection", "common", "versus"}
	conceptWords  = []string{"why", "how", "explain", "describe", "summarize", "summarise", "compare", "understand", "mean", "means",
		"warum", "wieso", "pourquoi", "comment", "porque", "почему", "как"}
)

func (u *understanding) any(words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return u.words[word] })
}

// weights are what the legs count for one request: what it says itself, else the deployment's weights as the profile
// has them.
func (s *Service) weights(base Weights, p *Profile, r *Request) (Weights, error) {
	weights := Weights{}
	maps.Copy(weights, base)
	for name, factor := range p.Factor {
		if weight, known := weights[name]; known {
			weights[name] = weight * factor
		}
	}
	for name, weight := range r.Weights {
		if !slices.ContainsFunc(s.Legs, func(l Leg) bool { return l.Name() == name }) {
			return nil, fault.BadField("body.weights."+name, "is no way of retrieving of this deployment")
		}
		if math.IsNaN(weight) || weight < 0 || weight > 1 {
			return nil, fault.BadField("body.weights."+name, "%v must be 0 to 1", fmt.Sprint(weight))
		}
		weights[name] = weight
	}
	return weights, nil
}
