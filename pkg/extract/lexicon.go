package extract

// The word lists of the rules, in lower case. They are short on purpose: what no list knows is left out, not guessed.

var (
	titles = words("dr prof professor mr mrs ms miss sir jr sr rev hon")

	// labels are words before a name, or before a colon, that are no part of a name.
	labels = words(`attendees attendee present absent action actions
		decision decisions note notes todo topic agenda date time subject re fwd fw from to cc summary title status reported assignee
		owner example question answer update reminder warning error info people team address email phone name location city steps result
		expected actual version environment priority description background next attention important ps`)

	// roles stand before the name of whoever has one: "Customer Berta Nowak".
	roles = words("customer client user employee patient colleague reporter contact manager")

	// noNames begin with a capital and are no names of anybody or anything that facts are kept of.
	noNames = words(`i monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
		october november december jan feb mar apr jun jul aug sep sept oct nov dec christmas easter today tomorrow yesterday everyone everybody
		someone somebody nobody anyone anybody none nothing everything something yes no ok okay hi hello hey dear thanks thank please sorry
		well so and but or if when while because although since then there here this that these those it he she they we you my your his her
		our their its the a an in on at of for to with from by as god mr mrs ms what who where why how which whatever whoever maybe perhaps
		one two three four five all both many most some any few several people life love home work school mom mum mommy dad daddy mama papa
		grandma grandpa mother father brother sister not never always let lets also just even still only now new old good great best happy
		wow oh ah haha lol btw fyi asap ceo cto cfo coo vp hr it pm am ai llm pdf api url diary english`)

	languages = words(`english german french spanish italian portuguese dutch polish russian ukrainian czech slovak hungarian romanian bulgarian
		greek turkish arabic hebrew persian farsi hindi urdu bengali tamil telugu punjabi chinese mandarin cantonese japanese korean vietnamese thai
		indonesian malay tagalog swahili swedish norwegian danish finnish icelandic estonian latvian lithuanian croatian serbian slovenian
		albanian catalan basque welsh irish gaelic latin esperanto afrikaans zulu yoruba amharic georgian armenian kurdish nepali`)

	// kinds of relatives and friends, with the relation the one whose they are has to them.
	kin = map[string]string{
		"wife": "married_to", "husband": "married_to", "spouse": "married_to", "ex-wife": "married_to", "ex-husband": "married_to",
		"partner": "partner_of", "girlfriend": "partner_of", "boyfriend": "partner_of", "fiancé": "engaged_to", "fiancée": "engaged_to", "fiance": "engaged_to", "fiancee": "engaged_to",
		"ex-girlfriend": "partner_of", "ex-boyfriend": "partner_of", "ex-partner": "partner_of",
		"mother": "child_of", "mom": "child_of", "mum": "child_of", "father": "child_of", "dad": "child_of", "stepmother": "child_of", "stepfather": "child_of",
		"son": "parent_of", "daughter": "parent_of", "kid": "parent_of", "child": "parent_of", "sons": "parent_of", "daughters": "parent_of", "kids": "parent_of", "children": "parent_of",
		"brother": "sibling_of", "sister": "sibling_of", "brothers": "sibling_of", "sisters": "sibling_of", "twin": "sibling_of", "sibling": "sibling_of",
		"aunt": "relative_of", "uncle": "relative_of", "cousin": "relative_of", "niece": "relative_of", "nephew": "relative_of", "grandmother": "relative_of",
		"grandfather": "relative_of", "grandma": "relative_of", "grandpa": "relative_of", "grandson": "relative_of", "granddaughter": "relative_of",
		"friend": "friend_of", "friends": "friend_of", "roommate": "lives_with", "flatmate": "lives_with", "housemate": "lives_with",
		"colleague": "colleague_of", "coworker": "colleague_of", "co-worker": "colleague_of", "boss": "reports_to", "manager": "reports_to", "supervisor": "reports_to",
	}
	pets = words(`dog dogs cat cats puppy puppies kitten kittens rabbit rabbits hamster hamsters parrot parrots tortoise turtle horse horses pony
		goldfish guinea-pig ferret budgie canary lizard snake`)
	kinQualities = words("late older younger little big elder eldest youngest oldest best old good new dear dearest close beloved first second only twin baby middle former")

	events = words(`meeting launch kickoff kick-off review workshop conference wedding party release deadline interview appointment exam concert trip
		flight demo call webinar training election game match ceremony summit retrospective retro standup session delivery surgery graduation
		audit migration presentation reception rehearsal marathon hackathon offsite festival anniversary`)

	jobs = words(`nurse chef cook clerk ceo cto cfo coo vp pilot judge intern professor doctor coach guide surgeon dentist analyst specialist
		consultant assistant attorney mechanic architect accountant librarian postman policeman fireman firefighter secretary midwife vet
		veterinarian sailor tailor butcher baker plumber electrician carpenter waiter waitress barista scientist chemist physicist biologist
		economist journalist therapist psychologist pharmacist artist novelist musician technician politician physician mathematician
		developer engineer programmer designer teacher lecturer writer editor author painter photographer driver farmer gardener singer dancer
		actor actress translator interpreter instructor director producer administrator recruiter lawyer banker trader researcher officer
		soldier manager bookkeeper receptionist hairdresser cleaner builder welder plasterer roofer miner fisherman salesman saleswoman
		salesperson freelancer founder co-founder entrepreneur investor broker planner paramedic bartender auditor tutor principal dean
		controller inspector detective astronaut geologist archaeologist historian sociologist statistician supervisor strategist copywriter
		blogger jeweller jeweler potter weaver sculptor composer conductor violinist pianist guitarist drummer`)
	// jobHeads may stand before "of …" in a title.
	jobHeads = words("head director vice president chief lead vp professor chair dean")

	diets = words("vegetarian vegan pescatarian lactose-intolerant gluten-free teetotal diabetic celiac coeliac")

	// firstNames are common given names; a single capitalised word at a sentence's head is taken for a person by them.
	firstNames = words(`anna anne ann alice alex alexander adam adrian agnes alan albert alina amelia amina amy andrea andreas andrew angela anita antonio
		arthur ayesha barbara beatrice ben benjamin bernd beth bill bob boris brian bruno carl carla carlos carmen caroline catherine cecilia charles
		charlotte chloe chris christian christina christine christopher clara claire claudia clara daniel daniela dave david deborah dennis diana
		diego dieter dirk dominik dora dorothy edward elena elias elizabeth ella ellen emil emily emma eric erik erika ernst eva eve evelyn fatima
		felix fiona florian francesca francis frank franz frida fred gabriel gabriela george georg gerd gina giulia giovanni grace greg greta gustav
		hana hannah hans harry heidi helen helena helga henry hugo ian ida ines ingrid irene iris isabel ivan jack jacob jakob james jan jane janet
		jason javier jean jennifer jenny jens jessica jim joan joanna joe john jonas jonathan jorge jose josef joseph juan judith julia julian
		juliet karen karin karl kate katharina katherine kathrin katja kevin kim klaus kurt lara lars laura lea lee lena leo leon liam lily linda lisa
		louis louise luca lucas lucia lucy luis luise lukas maggie magda manuel marc marco marcus margaret maria marie mario marion mark markus marta
		martha martin mary matthew matthias max maya mel melanie melissa mia michael michelle miguel mike mila miriam mohamed mohammed monica moritz
		nadia natalie natasha nathan nick nicole nikolai nina noah nora olaf oliver olivia omar oscar oskar otto pablo patricia patrick paul paula pedro
		peter petra philip philipp pia pierre quinn rachel ralf rebecca richard rita robert roberto robin roger roland rosa rose ruth ryan sabine sally
		sam samuel sandra sara sarah sebastian sharon silvia simon sofia sonja sophia sophie stefan stephanie stephen steve steven susan susanne sven
		tanja tara teresa theo thomas tim tina tobias tom tomas tony ulrich ursula uwe valentina vera veronica victor victoria viktor vincent walter
		wendy werner will william wolfgang xavier yara yasmin yuki yusuf yvonne zoe`)

	// places are countries and large cities; they are only asked what a name is that nothing else tells.
	places = words(`argentina australia austria belgium brazil bulgaria canada chile china colombia croatia cuba denmark egypt england estonia ethiopia
		finland france germany ghana greece hungary iceland india indonesia iran iraq ireland israel italy japan kenya latvia lithuania luxembourg
		malaysia mexico morocco nepal netherlands nigeria norway pakistan peru poland portugal romania russia scotland serbia singapore slovakia
		slovenia spain sweden switzerland thailand tunisia turkey ukraine uruguay vietnam wales africa europe asia america
		amsterdam athens atlanta austin bangkok barcelona beijing belgrade bergen berlin bern bilbao birmingham bologna boston bremen brisbane bristol
		brussels bucharest budapest cairo cambridge chicago cologne copenhagen dallas delhi denver detroit dresden dublin edinburgh florence
		frankfurt geneva ghent glasgow gothenburg graz hamburg hanover helsinki houston istanbul jakarta jerusalem kiev krakow kyiv lagos leeds leipzig
		lima lisbon liverpool london lyon madrid malaga manchester marseille melbourne miami milan montreal moscow mumbai munich nairobi nantes naples
		nice osaka oslo oxford paris philadelphia phoenix porto prague riga rome rotterdam salzburg seattle seoul seville shanghai sofia stockholm
		stuttgart sydney tallinn tokyo toronto turin valencia vancouver venice vienna vilnius warsaw zagreb zurich`)

	orgSuffixes = words("inc corp ltd llc gmbh ag plc bank university college institute hospital group company foundation labs airlines school museum systems")
)

// Sentences with one of these words don't say that something is so: they suppose, wish, doubt, or tell what somebody
// else has said.
var unsure = words(`if unless whether suppose supposing imagine pretend pretended wish wished hope hopes hoped hoping maybe perhaps possibly apparently
	allegedly supposedly rumour rumor rumours hypothetically dreamt dreamed dreaming joke joking kidding almost nearly song lyrics novel
	says said saying claims claimed claim told heard hears thinks think thought thinking believes believe believed guess guessed reckon assume
	assumed suspect doubt doubts according wonder wonders wondering asks asked probably likely seems seem feels whispered shouted mentioned
	writes wrote reportedly fictional character movie haha lol jk hear insists insisted denies denied fake lie lied lies otherwise as-if`)

// openers may stand before a subject and change nothing.
var openers = words(`well so also and but actually yes no yeah yep oh ok okay btw today yesterday now currently finally recently originally personally
	honestly hi hello hey dear please fyi then sadly luckily fortunately unfortunately anyway besides thanks diary all team both wow sure
	lately nowadays meanwhile plus first second still because since decision reminder update ps however though tonight everyone everybody`)

// adverbs may stand within a predicate and change nothing of what the rules read.
var adverbs = words(`really also still now currently just already always actually absolutely totally both all finally recently very truly honestly
	originally especially even mostly usually definitely simply officially happily both so genuinely literally quite`)

// stops end a noun phrase.
var stops = words(`with in on at for from to over than by about because when while since but so as after before during near into without that which
	who whose very too today yesterday tomorrow tonight now more most much better again together every each ever here there and or nor then last next
	this ago until till though although if whenever where how either instead rather anymore online already recently though only especially
	really yet still also please like`)

// noThings begin what is nothing to remember: pronouns, pointers, what must be guessed.
var noThings = words(`it that this these those them you him her me us what how when where who myself yourself himself herself itself being one ones
	everything something nothing anything lots lot bit much many more your my his their our its the every each such so too very here there
	someone everyone anyone another other both`)
