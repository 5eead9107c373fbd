// Package when finds the times a text names: dates however they are written, and stretches of time told from where the
// speaker stands, such as "last May" and "two weeks ago".
package when

import (
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/text"
)

// Date is a day, a month of a year, a month or a year; what is not said is 0.
type Date struct{ Year, Month, Day int }

// Agrees is the share of what d says that other says too, and 0 as soon as they contradict each other.
func (d Date) Agrees(other Date) float64 {
	said, same := 0, 0
	for _, p := range [...][2]int{{d.Year, other.Year}, {d.Month, other.Month}, {d.Day, other.Day}} {
		if p[0] == 0 {
			continue
		}
		said++
		switch p[1] {
		case p[0]:
			same++
		case 0:
		default:
			return 0
		}
	}
	if said == 0 {
		return 0
	}
	return float64(same) / float64(said)
}

// Dates finds "7 May 2023", "May 7th, 2023", "the 7th of May", "May 2023", "in May", "2023-05-07" and "2023", in
// the order of the text. A month's name alone is a date only behind a word that asks for one: "may" and "march" are
// mostly verbs.
func Dates(s string) []Date {
	words := text.Words(s)
	var dates []Date
	for i := 0; i < len(words); {
		d, used := dateAt(words[i:])
		if used == 0 {
			i++
			continue
		}
		dates = append(dates, d)
		i += used
	}
	return dates
}

// dateAt reads a date that begins with the first word and returns how many words it took.
func dateAt(words []text.Token) (Date, int) {
	at := func(i int) string {
		if i < len(words) {
			return words[i].Term
		}
		return ""
	}
	if y := year(at(0)); y > 0 {
		if m, d := numeric(at(1), 12), numeric(at(2), 31); m > 0 && d > 0 && tight(words[:3]) {
			return Date{y, m, d}, 3
		}
		return Date{Year: y}, 1
	}
	if d := day(at(0)); d > 0 {
		next := 1
		if at(1) == "of" {
			next = 2
		}
		if m := month(at(next)); m > 0 {
			if y := year(at(next + 1)); y > 0 {
				return Date{y, m, d}, next + 2
			}
			return Date{Month: m, Day: d}, next + 1
		}
		return Date{}, 0
	}
	if m := month(at(0)); m > 0 {
		if y := year(at(1)); y > 0 {
			return Date{Year: y, Month: m}, 2
		}
		if d := day(at(1)); d > 0 {
			if y := year(at(2)); y > 0 {
				return Date{y, m, d}, 3
			}
			return Date{Month: m, Day: d}, 2
		}
		return Date{}, 0
	}
	if m := month(at(1)); m > 0 && strings.Contains(" in since until last next during by before after early late of ", " "+at(0)+" ") {
		d, used := dateAt(words[1:])
		if used == 0 {
			d, used = Date{Month: m}, 1
		}
		return d, used + 1
	}
	return Date{}, 0
}

// tight reports whether one character stands between each word and the next.
func tight(words []text.Token) bool {
	for i := 1; i < len(words); i++ {
		if words[i].Start-words[i-1].End != 1 {
			return false
		}
	}
	return true
}

// year reads 1900 to 2099.
func year(word string) int {
	if n := numeric(word, 2099); len(word) == 4 && n >= 1900 {
		return n
	}
	return 0
}

// day reads 1 to 31, with or without an ordinal's ending.
func day(word string) int {
	if n := len(word); n > 2 {
		switch word[n-2:] {
		case "st", "nd", "rd", "th":
			word = word[:n-2]
		}
	}
	return numeric(word, 31)
}

// numeric reads a number of up to four digits in 1..limit, else 0.
func numeric(word string, limit int) int {
	if len(word) == 0 || len(word) > 4 {
		return 0
	}
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil || n > uint64(limit) {
		return 0
	}
	return int(n)
}

// month reads an English month's name, whole or as three letters ("sept" too).
func month(word string) int {
	if len(word) < 3 {
		return 0
	}
	if word == "sept" {
		return 9
	}
	for i, name := range [...]string{"january", "february", "march", "april", "may", "june", "july", "august",
		"september", "october", "november", "december"} {
		if word == name || word == name[:3] {
			return i + 1
		}
	}
	return 0
}
