package text

import "sync"

// Filler reports whether the index term belongs to English small talk: greetings, thanks, praise, assent, and the verbs
// and nouns people hold the floor with. They recur in every conversation and are no topic of any: they weigh nothing
// when texts are compared, name no topic and begin no name.
func Filler(term string) bool { return fillers()[term] }

// fillers are stemmed when first used, not at every start.
var fillers = sync.OnceValue(func() map[string]bool {
	return termsOf(`
	hey hi hello bye goodbye welcome cheers dear
	thanks thank thx please sorry care hug luck appreciate congrats congratulations
	wow awesome amazing great good nice cool fine fantastic wonderful incredible perfect lovely glad happy excited
	yes yeah yep yup yea nope ok okay sure right exactly absolutely definitely totally agreed true oh ah haha lol hmm well
	really actually basically honestly pretty quite super literally even ever always still also maybe perhaps already yet
	lot lots bit thing things stuff something anything everything nothing someone anyone everyone way kind sort
	mean means meant know knows knew think thinks thought feel feels felt guess believe hope hoping
	get gets got getting gotten go goes going gone went gonna gotta come comes came coming make makes made making
	take takes took taken taking keep keeps kept keeping let lets need needs needed want wants wanted wanna like likes liked
	see sees saw seen look looks looked looking sound sounds sounded seem seems seemed find found
	say says said tell tells told talk talks talked talking chat chatting ask asks asked hear heard
	put puts give gives gave given try tries tried trying use uses used start started
	long last next since ago now today yesterday tomorrow tonight soon later lately recently time times
	http https www com
	day days week weeks month months year years weekend morning evening night
	monday tuesday wednesday thursday friday saturday sunday
	much many little least big new old able back around another every one two first second
`)
})

// termsOf is the set of index terms of a list of words.
func termsOf(list string) map[string]bool {
	set := map[string]bool{}
	for _, token := range Analyze(list) {
		set[token.Term] = true
	}
	return set
}
