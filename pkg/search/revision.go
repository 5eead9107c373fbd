package search

import (
	"cmp"
	"slices"
)

// What is told of how things stand is told anew when they change, and the old telling stays. Chosen with all of
// testdata/updates.jsonl in view; docs/quality-notes.md has the figures.
const (
	rivalry     = .45 // share of the best result's score from which a result is taken to tell of the same
	forNewer    = .9  // what the newest of them gains, as a share of the best score
	nearRivalry = .7  // both, where no word says that now is meant: only what is nearly as good changes places,
	forPresent  = .35 // or the newest note of anything would win
	forNotSoYet = .25 // what remains of the score of what had not happened at the time that is asked of
)

// Words that make a question one of how things stand, and those that make it one of the past.
var (
	presentWords = []string{"is", "are", "am", "does", "do", "has", "have"}
	pastWords    = []string{"did", "was", "were", "had", "been", "ever", "used", "before", "previously", "formerly", "originally", "first", "when", "ago", "yesterday", "history"}
	nowPhrases   = [][2]string{{"these", "days"}, {"at", "present"}, {"moment", "the"}}
)

// asksNow reports whether the words of a question say that it means now.
func (u *understanding) asksNow() bool {
	return u.any(newestWords) || slices.ContainsFunc(nowPhrases, func(p [2]string) bool { return u.words[p[0]] && u.words[p[1]] })
}

// asksPresent reports whether it asks how things stand, without saying when.
func (u *understanding) asksPresent() bool {
	return u.any(presentWords) && !u.any(pastWords) && !u.timed() && u.expects&aTime == 0
}

// addRevisions lets the later of what tells of the same gain, where the question is of now. Turns of a conversation are left
// as they are: most of what is asked of them is past, and where they gained, too, LoCoMo lost .006 of Hit@1. Asked as of a time, what had not happened by then loses.
func (q *inquiry) addRevisions(results []scored) {
	now := q.asksNow()
	if q.View.AsOf != nil {
		for i := range results {
			if at := results[i].memory.OccurredAt; at != nil && at.After(*q.View.AsOf) {
				results[i].final *= forNotSoYet
			}
		}
	}
	if !now && !q.asksPresent() {
		return
	}
	share, gain := nearRivalry, forPresent
	if now {
		share, gain = rivalry, forNewer
	}
	best := 0.0
	for i := range results {
		best = max(best, results[i].final)
	}
	var rivals []*scored
	for i := range results {
		r := &results[i]
		if r.memory.OccurredAt != nil && r.place.Session == "" && r.final >= share*best {
			rivals = append(rivals, r)
		}
	}
	if len(rivals) < 2 {
		return
	}
	slices.SortFunc(rivals, func(a, b *scored) int {
		return cmp.Or(a.memory.OccurredAt.Compare(*b.memory.OccurredAt), cmp.Compare(a.memory.ID, b.memory.ID))
	})
	for i, r := range rivals {
		r.final += gain * best * float64(i) / float64(len(rivals)-1)
	}
}
