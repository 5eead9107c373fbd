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
	newest                     // how late it comes among the results, where the newest is asked for
	featureCount
)

// featureNames are how explanations call them.
var featureNames = [featureCount]string{
	"own", "before_1", "before_2", "after_1", "after_2", "session", "session_best", "speaker", "reply", "cover",
	"cover_near", "brief", "asking", "told_time", "told_number", "told_person", "told_place", "naming", "best_line", "in_time", "standing", "newest",
}

// FeatureNames are the names explanations have for what the last look sees, in a fixed order.
func FeatureNames() []string { return slices.Clone(featureNames[:]) }

// learned are the weights of the features. Fitted by test/fit on the odd-numbered LoCoMo conversations; README.md has
// the figures on the others. Only their proportions matter to the order; those that count in favour sum up to about 2.
var learned = [featureCount]float64{
	ownScore: .426, before1: .021, before2: .195, after1: .087, after2: .021, session: .134, sessionBest: .325,
	speaker: .035, reply: .453, cover: .106, coverNear: .195, brief: -.103, asking: -.161,
	toldTime: .131, toldNumber: .083, toldPerson: .061, toldPlace: .111, naming: .031, bestLine: .212, inTime: .249, newest: .078,
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
