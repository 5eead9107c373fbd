package text

import "strings"

// stopWords are the English function words that carry no topic, question words and contractions (without their
// apostrophe) included.
var stopWords = setOf(`
	a an the
	i me my mine myself we us our ours ourselves you your yours yourself yourselves
	he him his himself she her hers herself it its itself they them their theirs themselves
	this that these those here there
	who whom whose which what when where why how
	am is are was were be been being
	do does did doing done have has had having
	will would shall should can could may might must ought
	and or nor but if then else than so as because while until although though
	of at by for with about against between into through during before after above below
	to from up down in out on off over under again further once
	all any both each few many more most much other some such no not only own same too very just also
	im youre hes shes theyre weve ive youve theyve id youd hed shed theyd ill youll hell shell theyll
	isnt arent wasnt werent hasnt havent hadnt doesnt dont didnt wont wouldnt shant shouldnt cant cannot couldnt mustnt
	lets thats whos whats heres theres whens wheres whys hows
	s t d m re ll ve
`)

// StopWord reports whether the lower-cased word carries no topic of its own.
func StopWord(word string) bool {
	_, stop := stopWords[word]
	return stop
}

func setOf(list string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, w := range strings.Fields(list) {
		set[w] = struct{}{}
	}
	return set
}
