package resolve

import (
	"fmt"
	"slices"
	"strconv"
)

// Candidates are found by keys: who shares one is compared. Keys are what must be the same however a name is written, and,
// for names that are only alike, bands of a signature by MinHash (Broder 1997) over their trigrams: of two names that have
// half of their trigrams in common nearly nine in ten share a band, of two that have a tenth one in sixty.

const (
	bands = 16
	rows  = 3
	// crowd is how many share a key before it tells too little: then each is compared with the near ones alone, in the
	// order of their names, and who asks by an abbreviation is not answered.
	crowd   = 48
	similar = 16 // the same of a band
	near    = 6
)

// block is who shares a key. Seekers are compared with members, and with nobody by it among themselves.
type block struct{ members, seekers []int32 }

// candidates are the pairs to compare, each once.
func (s *space) candidates() [][2]*reading {
	blocks := map[string]*block{}
	at := func(key string) *block {
		b := blocks[key]
		if b == nil {
			b = &block{}
			blocks[key] = b
		}
		return b
	}
	hashes := newHashes()
	for i, e := range s.all {
		for _, n := range append([]name{e.name}, e.other...) {
			if len(n.tokens) == 0 {
				continue
			}
			member, seeker := n.keys(e.kind)
			for _, key := range append(member, hashes.bands(n.squeeze)...) {
				b := at(key)
				if len(b.members) == 0 || b.members[len(b.members)-1] != int32(i) {
					b.members = append(b.members, int32(i))
				}
			}
			for _, key := range seeker {
				b := at(key)
				if len(b.seekers) == 0 || b.seekers[len(b.seekers)-1] != int32(i) {
					b.seekers = append(b.seekers, int32(i))
				}
			}
		}
	}
	var pairs []uint64
	meet := func(a, b int32) {
		if a != b {
			pairs = append(pairs, uint64(min(a, b))<<32|uint64(max(a, b)))
		}
	}
	for key, b := range blocks {
		reach := len(b.members)
		if reach > crowd || key[0] == 'm' && reach > similar {
			slices.SortFunc(b.members, func(x, y int32) int { return compareReadings(s.all[x], s.all[y]) })
			reach = near
		}
		if key[0] != seek {
			for i, x := range b.members {
				for _, y := range b.members[i+1 : min(len(b.members), i+1+reach)] {
					meet(x, y)
				}
			}
		}
		if len(b.members) <= crowd && len(b.seekers) <= 4*crowd {
			for _, x := range b.seekers {
				for _, y := range b.members {
					meet(x, y)
				}
			}
		}
	}
	slices.Sort(pairs)
	pairs = slices.Compact(pairs)
	found := make([][2]*reading, len(pairs))
	for i, p := range pairs {
		found[i] = [2]*reading{s.all[p>>32], s.all[uint32(p)]}
	}
	return found
}

func compareReadings(a, b *reading) int {
	return slices.Compare([]string{a.name.squeeze, a.ID, fmt.Sprint(a.nth)}, []string{b.name.squeeze, b.ID, fmt.Sprint(b.nth)})
}

// seek begins the keys by which members are found and do not find one another.
const seek = '?'

// keys are those a name is found by, and those it only asks by.
func (n *name) keys(kind string) (member, seeker []string) {
	member = []string{"s" + n.squeeze, "u" + n.umlauts, "o" + n.sorted}
	if n.native != "" {
		return member, nil
	}
	if kind == person || kind == "" {
		family := skeleton(n.tokens[len(n.tokens)-1])
		switch first := n.tokens[0]; {
		case len(n.tokens) == 1:
			seeker = append(seeker, "?l"+first, "?g"+first)
			for _, root := range nicknames[first] {
				seeker = append(seeker, "?g"+root)
			}
		case len([]rune(first)) == 1:
			seeker = append(seeker, "?i"+family+"/"+first)
		default:
			member = append(member, "f"+family+"/"+first, "f"+family+"/"+skeleton(first), "?i"+family+"/"+string([]rune(first)[:1]),
				"?l"+n.tokens[len(n.tokens)-1], "?g"+first, "b"+first+"/"+n.tokens[1])
			for _, root := range nicknames[first] {
				member = append(member, "f"+family+"/"+root, "?g"+root)
			}
		}
	}
	if kind != person {
		sounding := "k" + n.numbers
		for _, token := range n.tokens {
			sounding += "/" + skeleton(token)
		}
		member = append(member, sounding, "h"+n.tokens[0]+"#"+strconv.Itoa(len(n.tokens))+"#"+n.numbers)
		if len(n.tokens) > 1 {
			member = append(member, "?a"+n.short)
			all := ""
			for _, word := range n.every {
				all += string([]rune(word)[:1])
			}
			member = append(member, "?a"+all)
			if n.every[0] == "the" {
				member = append(member, "?a"+all[1:])
			}
		}
		if n.caps {
			seeker = append(seeker, "?a"+n.squeeze)
		}
	}
	return member, seeker
}

// hashes are the functions of a signature: x → a·x + b, over 64 bits.
type hashes struct {
	a, b [bands * rows]uint64
}

func newHashes() *hashes {
	h := &hashes{}
	x := uint64(0x9e3779b97f4a7c15)
	next := func() uint64 { // SplitMix64 (Steele, Lea, Flood 2014)
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for i := range h.a {
		h.a[i], h.b[i] = next()|1, next()
	}
	return h
}

// bands are the keys of a name by its signature; a name too short for trigrams has none.
func (h *hashes) bands(squeeze string) []string {
	letters := []rune("^" + squeeze + "$")
	if len(letters) < 6 {
		return nil
	}
	var signature [bands * rows]uint64
	for i := range signature {
		signature[i] = ^uint64(0)
	}
	for i := range len(letters) - 2 {
		x := trigram(letters[i : i+3])
		for j := range signature {
			signature[j] = min(signature[j], h.a[j]*x+h.b[j])
		}
	}
	keys := make([]string, bands)
	for i := range keys {
		key := make([]byte, 0, 2+8)
		key = append(key, 'm', byte(i))
		var band uint64
		for _, v := range signature[i*rows : (i+1)*rows] {
			band = (band ^ v) * 0x9e3779b97f4a7c15
			band ^= band >> 29
		}
		for range 8 {
			key, band = append(key, byte(band)), band>>8
		}
		keys[i] = string(key)
	}
	return keys
}

// trigram is the number of three letters: FNV-1a (Fowler, Noll, Vo), mixed.
func trigram(letters []rune) uint64 {
	x := uint64(14695981039346656037)
	for _, r := range letters {
		for range 4 {
			x = (x ^ uint64(r&0xff)) * 1099511628211
			r >>= 8
		}
	}
	return x ^ x>>32
}
