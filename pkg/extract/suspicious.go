// Package extract reads out of memories what they say, as knowledge.Extractor has it.
package extract

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

// Suspicious names the ways in which a text tries to command a model that reads it, sorted and once each; none for a text
// that does not. It is a hint, to be shown with what was read out of the text, and no defence: that is that nothing
// obeys a memory. What it sees:
//
//	address   speaks to whatever model reads it: "Note to AI assistants"
//	exfiltrate  asks for stored data to be sent or shown elsewhere
//	hidden    carries characters nobody sees that spell a text
//	memory    wants a permission remembered that nobody gave
//	override  tells it to ignore its instructions or filters, in nine languages
//	persona   makes it somebody without rules
//	prompt    asks for its instructions
//	role      imitates the marks between the roles of a conversation
//	secrecy   wants its user kept in the dark
//	tool      imitates a call of a tool
//
// What is sure to be missed is what is worded anew. Time is linear in the length of the text.
func Suspicious(s string) []string {
	var seen []string
	see := func(name string) {
		if !slices.Contains(seen, name) {
			seen = append(seen, name)
		}
	}
	if tagged(s) {
		see("hidden")
	}
	unspaced := false // holds a script of the far East
	s = strings.Map(func(r rune) rune {
		unspaced = unspaced || r >= 0x2E80
		if unicode.Is(unicode.Cf, r) { // zero-width characters, soft hyphens, marks of direction
			return -1
		}
		return r
	}, s)
	lower := strings.ToLower(s)
	for _, m := range marks {
		if strings.Contains(lower, m.written) {
			see(m.name)
		}
	}
	commands := commands()
	for _, p := range commands.patterns {
		if (p.needs == "" && unspaced || p.needs != "" && strings.Contains(lower, p.needs)) && p.MatchString(lower) {
			see(p.name)
		}
	}
	words := plainWords(lower)
	for i := range words {
		for _, c := range commands.phrases[words[i].term] {
			if !slices.Contains(seen, c.name) && c.at(words, i) {
				see(c.name)
			}
		}
	}
	slices.Sort(seen)
	return seen
}

// marks are what gives a text away wherever it stands, in lower case.
var marks = []struct{ name, written string }{
	{"role", "<|im_start|>"}, {"role", "<|im_end|>"}, {"role", "<|system|>"}, {"role", "<|assistant|>"}, {"role", "<|start_header_id|>"},
	{"role", "<|message|>"}, {"role", "<|endoftext|>"}, {"role", "[inst]"}, {"role", "[/inst]"}, {"role", "<<sys>>"}, {"role", "<system>"}, {"role", "### instruction:"}, {"role", "### system:"},
	{"tool", "<tool_call>"}, {"tool", "<function_call"}, {"tool", "<function="}, {"tool", "<invoke name="}, {"tool", `"tool_calls": [`}, {"tool", `"tool_calls":[`}, {"tool", "to=functions."},
}

// pattern is a form that words alone don't show. It is looked for where what it needs stands: "" is a script without
// spaces.
type pattern struct {
	name, needs string
	*regexp.Regexp
}

// phrase is a run of words with gaps: each word set follows the one before within so many words, in one sentence.
type phrase struct {
	name     string
	first    []string
	steps    []step
	bare     bool     // must not be told of somebody: "I ignore …", "do not ignore …"
	notAfter []string // must not be followed by
}

type step struct {
	within int
	words  map[string]bool
}

const (
	// dropped are the verbs that put instructions out of force.
	dropped = "ignore|disregard|forget"
	// passed are those that are used of other laws as well.
	passed = "override|bypass|circumvent|neglect"
	// laws are what a model is bound by.
	laws = "instructions|prompts|prompt|directives|guidelines|rules|programming|restrictions|constraints|filters|policies|protocols|commands"
	// readers are what a model calls itself.
	readers = "ai|ais|llm|llms|gpt|chatgpt|chatbot|chatbots"
)

// phraseTable has one phrase a line: its name, the first words, and for each further step how many words further on it
// may stand and which words it takes. "!" before the first words: not told of somebody; "!" at the end: words that must
// not follow. Words are lower-cased and without accents, as text.Words has them.
const phraseTable = `
override !` + dropped + ` 4:all|any|every|previous|prior|above|earlier|preceding|initial|original|your|content|safety|ethical|these 4:` + laws + ` !of|about|for|on
override !` + dropped + ` 2:any|every|all|your 4:instruction|directive|filter|guideline !of|about|for|on
override !` + dropped + ` 2:everything|all|anything 2:you 2:were|have|had|been|know|learned|learnt
override !` + dropped + ` 3:everything|anything|text|messages 1:above|before
override !` + passed + ` 3:your|safety|content|ethical|system 3:` + laws + ` !of|about|for|on
override disable|remove 3:your|all|any 2:safety|content|ethical 2:` + laws + `
override your 1:instructions|guidelines|rules|directives 1:have|were|are 2:updated|changed|replaced|superseded|void
override real|new|actual 1:instructions 1:are 1:to
override skip|disable 2:all 2:confirmation|safety 1:prompts|checks
override !ignoriere|vergiss|missachte 2:alle|alles|deine|saemtliche|jegliche 3:anweisungen|regeln|vorgaben|instruktionen|befehle|richtlinien
override ignorieren|vergessen 1:sie 2:alle|alles|ihre 3:anweisungen|regeln|vorgaben|instruktionen|befehle|richtlinien
override !ignora|olvida|omite|desestima|descarta 2:todas|tus|las 3:instrucciones|reglas|ordenes|indicaciones|directrices
override !ignore|ignorez|oublie|oubliez 2:toutes|tes|vos|les 2:instructions|consignes|regles|directives
override zignoruj|zapomnij|pomin 4:instrukcje|instrukcjach|polecenia|poleceniach|zasady|zasadach
override игнорируи|проигнорируи|забудь 4:инструкции|указания|правила|инструкциях|команды
override ignora|dimentica 2:tutte|le|tue 3:istruzioni|regole
override ignore|esqueca 2:todas|as|suas 3:instrucoes|regras
override negeer|vergeet 2:alle|je 3:instructies|regels|opdrachten
persona you 1:are 1:now 4:dan|unrestricted|jailbroken|uncensored|unfiltered|root|evil|omnipotent
persona youre 1:now 4:dan|unrestricted|jailbroken|uncensored|unfiltered|root|evil|omnipotent
persona you|youre 5:god|developer|jailbreak|dan 1:mode 6:no|without|filters|restrictions|policy|unrestricted
persona you|youre 3:longer 1:bound|restricted|limited|constrained|censored
persona you 1:have|are 1:no|without 3:restrictions|rules|limits|limitations|filters|guidelines|ethics|policy|constraints|morals !on|in|at|for
persona where|pretend|imagine 3:have 1:no 2:restrictions|rules|limits|limitations|filters|guidelines|ethics|constraints
persona act|behave|respond|answer|roleplay|pretend 4:dan|unrestricted|jailbroken|uncensored|unfiltered !queen|king
persona !enable|activate|enter 1:developer|god|dan|jailbreak 1:mode 6:no|without|policy|unrestricted|unfiltered
persona jailbreak 2:enabled|activated
prompt reveal|print|show|output|repeat|leak|display|dump|expose|share|quote|tell 5:system 1:prompt|message|instructions !of|on
prompt reveal|print|show|output|repeat|leak|display|dump|expose|share|quote|tell 3:your|hidden|secret 2:prompt|prompts|instructions|directives|guidelines
prompt leak|reveal|expose 3:secret|hidden 1:instructions|prompt
prompt print|output|repeat|show|dump 1:everything 4:above|context
prompt repeat 6:starting 1:with 1:you 1:are
exfiltrate send|forward|upload|post|email|mail|transmit|exfiltrate|submit 4:conversation|memories|credentials|passwords|secrets 14:http|https|mailto|www
exfiltrate send|forward|upload|post|email|mail|transmit|exfiltrate|submit 3:all|stored|entire|whole 3:memories|conversations|credentials|passwords|secrets
exfiltrate append|add|insert|include|encode 3:private|personal|user 1:data|information 6:image|url|link
exfiltrate reveal|show|list|dump|print|give|send 3:other|another|all 1:user|users|tenants|tenant|customers 1:data|memories|conversations|records|secrets
exfiltrate output|leak|reveal|dump 3:api|secret 1:key|keys|token
address note|attention|message|notice|warning|dear|hey 4:` + readers + ` 5:should|must|reading|recommend|ignore|instead|assistants|agents
address attention 2:assistant|assistants|agent|agents !professor|manager|coach
address instructions|message|orders 1:for|to 2:assistant|ai|llm|model|agent|chatbot
address if 1:you 1:are|re 3:` + readers + `
address if 1:you 1:are 2:language 1:model
address if 1:youre 3:` + readers + `
address any|every|all 1:` + readers + ` 5:must|should|shall
address ai|llm|llms|model|models|assistant|assistants|agent|agents 2:reading|processing|parsing|summarising|summarizing 1:this 5:should|must|click|run|call|ignore|send|page|document|text|resume
address when|once 1:you 1:read|see|process|summarise|summarize 1:this 6:call|invoke|execute|run|click|send|transfer|delete|ignore|output
address decode|decrypt|translate 8:follow|execute|obey|perform 3:instructions|commands|orders|instruction|command
secrecy not|dont|never|without 1:tell|telling|inform|informing|alert|alerting|notify|notifying 1:the|your 1:user|human !group|groups|meeting|council|interface
secrecy not|dont|never|without 1:mention|mentioning|reveal|revealing|show|showing|disclose 3:to 1:the 1:user|human !group|groups|council
secrecy hide|conceal|keep 3:from 1:the 1:user|human !group|groups|council|interface
memory remember|save|store|memorise|memorize|record 10:given 2:permission
memory remember|save|store|memorise|memorize|record 9:must|should|will 1:always 1:obey|trust|execute
memory remember|save|store|memorise|memorize|record 9:is 2:trusted 2:administrator|admin|root
`

// commands are read and compiled when first used.
var commands = sync.OnceValue(func() (all struct {
	patterns []pattern
	phrases  map[string][]*phrase
}) {
	all.patterns = []pattern{
		{"role", "system:", regexp.MustCompile(`(?m)^[\s>*#-]*system: {0,3}(?:you (?:are|must|will|have|shall)\b|the assistant\b|(?:ignore|disregard|override|never|always|obey)\b|new (?:rules|instructions|prompt|policy))`)},
		{"role", "\nassistant:", regexp.MustCompile(`(?m)^human:`)},
		{"role", "system ", regexp.MustCompile(`(?:begin|start) (?:of )?(?:the )?system (?:message|prompt)`)},
		{"role", "---", regexp.MustCompile(`-{2,} ?end of (?:document|user input|input|context|prompt|conversation) ?-{2,}`)},
		{"exfiltrate", "](http", regexp.MustCompile(`!\[[^\]\n]{0,100}\]\(https?://[^)\s]{1,200}[?&/][^)\s]{0,60}=[\[{]`)},
		{"override", "", regexp.MustCompile(`(?:忽略|无视|無視|忘记|忘掉|忽視)\P{Zs}{0,10}(?:指令|指示|提示|规则|規則)|(?:指示|命令|ルール|規則)\P{Zs}{0,8}(?:無視|忘れ)(?:し|て)|(?:지시|명령|규칙)\S{0,3} ?\S{0,4} ?(?:무시|잊어)`)},
	}
	all.phrases = map[string][]*phrase{}
	for line := range strings.Lines(phraseTable) {
		if p := readPhrase(strings.Fields(line)); p != nil {
			for _, word := range p.first {
				all.phrases[word] = append(all.phrases[word], p)
			}
		}
	}
	return all
})

// readPhrase reads a line of the table.
func readPhrase(fields []string) *phrase {
	if len(fields) < 2 {
		return nil
	}
	first, bare := strings.CutPrefix(fields[1], "!")
	p := &phrase{name: fields[0], first: strings.Split(first, "|"), bare: bare}
	for _, field := range fields[2:] {
		if words, not := strings.CutPrefix(field, "!"); not {
			p.notAfter = strings.Split(words, "|")
			continue
		}
		distance, list, _ := strings.Cut(field, ":")
		within, err := strconv.Atoi(distance)
		if err != nil {
			panic("extract: " + strings.Join(fields, " ")) // the table is a constant, and read by every test
		}
		p.steps = append(p.steps, step{within, among(list)})
	}
	return p
}

// plainWord is a word as phrases compare it.
type plainWord struct {
	term string
	last bool // of its sentence
}

// plainWords are the words of a lower-cased text. Digits that stand for letters are read as such, and letters that were
// set apart are put together.
func plainWords(s string) []plainWord {
	tokens := text.Words(s)
	words := make([]plainWord, 0, len(tokens))
	for i := 0; i < len(tokens); i++ {
		term := tokens[i].Term
		run := i
		for run+1 < len(tokens) && run-i < 40 && len(tokens[run].Term) == 1 && len(tokens[run+1].Term) == 1 && tokens[run+1].Start-tokens[run].End == 1 {
			run++
		}
		if run-i >= 3 {
			var b strings.Builder
			for _, t := range tokens[i : run+1] {
				b.WriteString(t.Term)
			}
			term, i = b.String(), run
		}
		if strings.ContainsAny(term, "013457") && strings.ContainsFunc(term, unicode.IsLetter) {
			term = unleet.Replace(term)
		}
		next := len(s)
		if i+1 < len(tokens) {
			next = max(tokens[i+1].Start, tokens[i].End)
		}
		words = append(words, plainWord{term, strings.ContainsAny(s[tokens[i].End:next], ".!?。")})
	}
	return words
}

var unleet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t")

// at reports whether the phrase begins with word i.
func (p *phrase) at(words []plainWord, i int) bool {
	if p.bare && i > 0 && !words[i-1].last && tellers[words[i-1].term] {
		return false
	}
	return p.rest(words, i, p.steps)
}

// tellers are what a verb is no command behind.
var tellers = words("i we he she they it who id ill wed not dont never didnt cannot cant ich jai nai yo")

func (p *phrase) rest(words []plainWord, i int, steps []step) bool {
	if len(steps) == 0 {
		return words[i].last || i+1 == len(words) || !slices.Contains(p.notAfter, words[i+1].term)
	}
	for n := 1; n <= steps[0].within && i+n < len(words) && !words[i+n-1].last; n++ {
		if steps[0].words[words[i+n].term] && p.rest(words, i+n, steps[1:]) {
			return true
		}
	}
	return false
}

// tagged reports a run of tag characters (Unicode block E0000), which spell a text nobody sees. Flags of regions have
// up to seven, behind a black flag.
func tagged(s string) bool {
	if !strings.Contains(s, "\xf3\xa0") {
		return false
	}
	run := 0
	for _, r := range s {
		if r < 0xE0020 || r > 0xE007F {
			run = 0
		} else if run++; run > 7 {
			return true
		}
	}
	return false
}

// among is the words of a list with "|" between.
func among(list string) map[string]bool { return words(strings.ReplaceAll(list, "|", " ")) }
