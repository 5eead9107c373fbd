package extract

import (
	"strings"

	"github.com/rae-memory/rae/pkg/knowledge"
)

var wishVerbs = words(`answer reply respond write speak talk call address remind tell send ask use keep be give explain format show include avoid
	suggest recommend mention assume add start end sign translate summarise summarize offer bring`)

var aboutTheAgent = words(`answer answers reply replies respond response responses me emoji emojis metric units bullet bullets concise brief short
	formal informal polite tone english german french spanish polish italian sentences markdown language celsius`)

// wish reads a standing instruction to the agent: "always answer in German", "please never …", "from now on …", "call me …".
func (r *reader) wish() bool {
	s := r.s
	role, _ := r.memory.Metadata["role"].(string)
	toAgent := strings.EqualFold(role, "user") || strings.EqualFold(role, "human") || role == "" && r.own.Name == "user" && r.speaker.Start == 0
	if !r.hasSpeaker || !toAgent || s.low(len(s.tokens)-1) == "?" {
		return false
	}
	i, standing, never := 0, false, false
	for ; i < len(s.tokens); i++ {
		switch {
		case s.match(i, "please|,|hi|hello|hey|so|ok|okay|and|also|just"):
			continue
		case s.match(i, "from", "now", "on"):
			standing = true
			i += 2
			continue
		case s.match(i, "in", "future"):
			standing = true
			i++
			continue
		case s.match(i, "always"):
			standing = true
			continue
		case s.match(i, "never"):
			standing, never = true, true
			continue
		case s.match(i, "do", "not"):
			never = true
			i++
			continue
		case s.match(i, "remember|note", "to"):
			standing = true
			i++
			continue
		}
		break
	}
	if !s.at(i).word || !wishVerbs[s.low(i)] {
		return false
	}
	if s.match(i, "call", "me") && !never {
		if name, next := s.person(i + 2); !name.empty() && (next >= len(s.tokens) || s.match(next, ".|!|,|please|from|instead")) {
			p := r.literal(knowledge.Instruction, r.speaker, "preferred_name", r.mention(name, ""), .95)
			r.say(p, 0, next)
			return true
		}
		if !standing {
			return false
		}
	}
	end := i
	for end < len(s.tokens) && (s.at(end).word || s.match(end, "'")) && s.low(end) != "please" {
		end++
	}
	if k := end - 3; k > i && s.match(k, "from", "now", "on") {
		end, standing = k, true
	}
	for k := i; k < end; k++ {
		standing = standing || s.match(k, "every|each|again|whenever|anymore")
	}
	concerns := false
	for k := i; k < end; k++ {
		concerns = concerns || aboutTheAgent[s.low(k)] || s.match(k, "suggest|recommend|mention") && never
	}
	keep := s.match(i, "keep", "your", "answers|replies|responses|messages") || s.match(i, "keep", "answers|replies|responses|messages|it", "short|brief|concise|simple|formal") || s.match(i, "be", "concise|brief|formal|informal|polite")
	if end-i < 2 || !concerns || !standing && !never && !keep || never && !standing && s.match(i, "be|keep|bring|tell|call|call") {
		return false
	}
	for end > i && s.match(end-1, "and|but|,") {
		end--
	}
	p := r.literal(knowledge.Instruction, r.speaker, "wants_agent_to", knowledge.Mention{Name: s.written(i, end), Start: s.at(i).start, End: s.at(end - 1).end}, .9)
	p.Negated = never
	r.say(p, 0, end)
	return true
}
