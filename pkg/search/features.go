package search

import "slices"

// Features say what the last look sees in a candidate: its own score, what its conversation lends it, and what its text
// has of what the question is after. Each is 0..1 or nearly so.
type feature uint8

const (
	ownScore    feature = iota // fused and reranked
	before1                    // own score of the turn before
	before2                    // … of the one before that
	after1                     // … of the turn after
	after2                     // … of the one after that
	session                    // of the three best of its session, 1, 1/2 and 1/3
	sessionBest                // of the best of its session
	speaker                    // said by somebody the question names
	reply                      // own score of the turn before, if it ends with a question
	cover                      // share, by rarity, of the question's terms it holds
	coverNear                  // … that it or one of the two turns before and after hold
	brief                      // how far it is from a length that can say something
	asking                     // share of its sentences that ask instead of telling
	toldTime                   // a time is asked for, and it tells one
	toldNumber                 // a number is asked for, …
	toldPerson                 // a person is asked for, and it has a name the question has not
	toldPlace                  // a place is asked for, …
	naming                     // it has a name the question has not
	bestLine                   // what the best line of a transcript is worth, looked at as a turn
	inTime                     // how near it is to a time the question names
	standing                   // it tells a standing wish, and the question asks for something such wishes apply to
	featureCount
)

// featureNames are how explanations call them.
var featureNames = [featureCount]string{
	"own", "before_1", "before_2", "after_1", "after_2", "session", "session_best", "speaker", "reply", "cover",
	"cover_near", "brief", "asking", "told_time", "told_number", "told_person", "told_place", "naming", "best_line", "in_time", "standing",
}

// FeatureNames are the names explanations have for what the last look sees, in a fixed order.
func FeatureNames() []string { return slices.Clone(featureNames[:]) }

// learned are the weights of the features. Fitted by test/fit on the odd-numbered LoCoMo conversations; README.md has
// the figures on the others. Only their proportions matter to the order; those that count in favour sum up to about 2.
var learned = [featureCount]float64{
	ownScore: .234, before1: .012, before2: .117, after1: .050, after2: .012, session: .180, sessionBest: .316,
	speaker: .043, reply: .536, cover: .216, coverNear: .283, brief: -.082, asking: -.194,
	toldTime: .150, toldNumber: .098, toldPerson: .090, toldPlace: .131, naming: .029, bestLine: .208, inTime: .312,
	standing: .05, // by hand: no set at hand has any
}

// fullLength is how many words a turn has that is not brief.
const fullLength = 20

// features are those of one candidate.
type features [featureCount]float64

// score is their weighted sum.
func (f *features) score() float64 {
	sum := 0.0
	for i, value := range f {
		sum += learned[i] * value
	}
	return sum
}

// nonzero names those that are not 0.
func (f *features) nonzero() map[string]float64 {
	named := map[string]float64{}
	for i, value := range f {
		if value != 0 {
			named[featureNames[i]] = value
		}
	}
	return named
}
