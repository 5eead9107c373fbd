package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	tenant     = "bench"
	vocabulary = 30_000 // words; how often each is used follows Zipf's law, as in any natural text

	turnsOfSession = 20 // memories
)

// speaker makes up text: the same for the same seed.
type speaker struct {
	random *rand.Rand
	words  []string
	rank   *rand.Zipf
	at     time.Time // of the last memory told
}

var (
	onsets = []string{"b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl", "r", "s", "sh", "st", "t", "tr", "v", "w", "z"}
	vowels = []string{"a", "e", "i", "o", "u", "ai", "ea", "oo"}
	codas  = []string{"", "", "l", "m", "n", "r", "s", "t", "nd", "rk", "st"}
	joints = []string{"the", "of", "and", "to", "a", "in", "that", "was", "with", "for", "on", "it", "he", "she", "they"}
	people = []string{"Anneke", "Bruno", "Chidi", "Dalia", "Emre", "Freya", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Lars"}
)

func newSpeaker(seed, stream uint64) *speaker {
	made := rand.New(rand.NewPCG(seed, 0)) // one language for all streams
	words, seen := make([]string, 0, vocabulary), map[string]bool{}
	for len(words) < vocabulary {
		var b strings.Builder
		for range 1 + made.IntN(3) {
			b.WriteString(onsets[made.IntN(len(onsets))] + vowels[made.IntN(len(vowels))] + codas[made.IntN(len(codas))])
		}
		if w := b.String(); len(w) > 2 && !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	random := rand.New(rand.NewPCG(seed, stream))
	return &speaker{
		random: random, words: words, rank: rand.NewZipf(random, 1.07, 4, vocabulary-1),
		at: time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC),
	}
}

// newSpeakers makes so many speakers, each of another stream.
func newSpeakers(seed, stream uint64, n int) []*speaker {
	all := make([]*speaker, n)
	for i := range all {
		all[i] = newSpeaker(seed, stream+uint64(i))
	}
	return all
}

func (s *speaker) word() string { return s.words[s.rank.Uint64()] }

// sentence has 8 to 24 words, about half of them small ones.
func (s *speaker) sentence() string {
	parts := []string{people[s.random.IntN(len(people))]}
	for range 7 + s.random.IntN(17) {
		if s.random.IntN(5) < 2 {
			parts = append(parts, joints[s.random.IntN(len(joints))])
		} else {
			parts = append(parts, s.word())
		}
	}
	return strings.Join(parts, " ") + "."
}

// query asks for three to five words of the middle of the language, and is never the same twice.
func (s *speaker) query(i int) string {
	parts := []string{"What did", people[s.random.IntN(len(people))], "say about"}
	for range 3 + s.random.IntN(3) {
		parts = append(parts, s.words[s.random.IntN(2000)])
	}
	return strings.Join(parts, " ") + fmt.Sprintf(" on day %d?", i)
}

// lines is a stream of n memories in sessions, as JSON lines.
func (s *speaker) lines(n int) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		encoder := json.NewEncoder(w)
		for i := range n {
			if err := encoder.Encode(s.turn(i)); err != nil {
				w.CloseWithError(err) //nolint:errcheck // never fails
				return
			}
		}
		w.Close() //nolint:errcheck // never fails
	}()
	return r
}

// turn is the memory with the number i, as the import takes it.
func (s *speaker) turn(i int) map[string]any {
	s.at = s.at.Add(time.Duration(30+s.random.IntN(600)) * time.Second)
	return map[string]any{
		"content": s.sentence(), "session_id": fmt.Sprintf("session-%d", i/turnsOfSession), "occurred_at": s.at,
		"metadata": map[string]any{"id": fmt.Sprintf("S%d:%d", i/turnsOfSession, i%turnsOfSession), "speaker": people[i%2]},
	}
}
