package resolve

import "strings"

// distance is the optimal string alignment distance of two words (Damerau 1964, Levenshtein 1966): insertions, deletions,
// substitutions and exchanges of two letters that stand side by side, none edited twice. It stops counting above most.
func distance(a, b string, most int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > most || len(y)-len(x) > most {
		return most + 1
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			same := 1
			if x[i-1] == y[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// nearness is the similarity of two words after Jaro (1989) and Winkler (1990), 0..1.
func nearness(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	reach := max(0, max(len(x), len(y))/2-1)
	taken := make([]bool, len(y))
	var common []rune
	for i, r := range x {
		for j := max(0, i-reach); j < min(len(y), i+reach+1); j++ {
			if !taken[j] && y[j] == r {
				taken[j] = true
				common = append(common, r)
				break
			}
		}
	}
	if len(common) == 0 {
		return 0
	}
	turned, at := 0, 0
	for j, r := range y {
		if taken[j] {
			if common[at] != r {
				turned++
			}
			at++
		}
	}
	m := float64(len(common))
	jaro := (m/float64(len(x)) + m/float64(len(y)) + (m-float64(turned)/2)/m) / 3
	prefix := 0
	for prefix < min(4, len(x), len(y)) && x[prefix] == y[prefix] {
		prefix++
	}
	return jaro + .1*float64(prefix)*(1-jaro)
}

// sounds are spellings of one sound.
var sounds = strings.NewReplacer("sch", "s", "sh", "s", "ph", "f", "th", "t", "ck", "k", "kh", "k", "gh", "g", "ch", "k", "qu", "k", "x", "ks", "z", "s",
	"c", "k", "q", "k", "w", "v", "f", "v", "j", "i", "y", "i", "dt", "t")

// skeleton is a word as it sounds, roughly: its first letter and its consonants, none twice in a row.
func skeleton(word string) string {
	var b strings.Builder
	var last rune
	for i, r := range sounds.Replace(word) {
		vowel := strings.ContainsRune("aeiouh", r)
		if vowel && i > 0 {
			continue
		}
		if vowel {
			r = 'a'
		}
		if r != last {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// misspelt reports whether one word may be the other, misspelt.
func misspelt(a, b string) bool {
	if a == b || a+"s" == b || b+"s" == a {
		return true
	}
	if diff := len(a) - len(b); diff > 4 || diff < -4 || a == "" || b == "" || a[0] != b[0] && !strings.Contains(" ck kc jy yj jg gj fp pf sz zs vw wv iy yi ", " "+a[:1]+b[:1]+" ") {
		return false // whoever misspells a name begins it right, or by a letter that sounds like it
	}
	short := min(len([]rune(a)), len([]rune(b)))
	if short < 4 || !strings.ContainsAny(a, letters) || !strings.ContainsAny(b, letters) {
		return short >= 3 && doubled(a, b)
	}
	allowed := 1
	if short >= 7 || short >= 5 && skeleton(a) == skeleton(b) {
		allowed = 2
	}
	far := distance(a, b, allowed)
	switch {
	case far > allowed, nearness(a, b) < .84:
		return false
	case skeleton(a) == skeleton(b):
		return true
	case far == 1:
		return short >= 5
	}
	return short >= 8 && nearness(a, b) >= .92
}

const letters = "aeiouаеиоуыэюяαεηιουω"

// doubled reports whether the words are the same but for letters written twice.
func doubled(a, b string) bool {
	single := func(s string) string {
		var out []rune
		for _, r := range s {
			if len(out) == 0 || out[len(out)-1] != r {
				out = append(out, r)
			}
		}
		return string(out)
	}
	return single(a) == single(b)
}
