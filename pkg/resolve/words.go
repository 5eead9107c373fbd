package resolve

import "strings"

// words is the set of the words of a text.
func words(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// small words tell nothing of who somebody is.
var small = words(`the of and a an de la le les el los las du des der die das den dem am im in at for et und y e i upon`)

// descriptors say what a thing is, and are left out as often as not.
var descriptors = words(`model unit inn hotel`)

// particles belong to family names and are written in every way.
var particles = words(`van von der den de di da del della la le du al el ter zu zum`)

// patronymics say whose child somebody is: the names around them cannot be turned round.
var patronymics = words(`ibn bin bint ben bat abu`)

// forms are legal forms, as they end names.
var forms = func() (forms [][]string) {
	for line := range strings.SplitSeq(`inc|incorporated|corp|corporation|co|company|ltd|limited|llc|llp|lp|plc|gmbh|gmb h|g m b h|ag|kg|ohg|ug|se|
		gmbh and co kg|sa|s a|sas|s a s|sarl|s a r l|srl|s r l|spa|s p a|ab|as|asa|a s|aps|oy|oyj|bv|b v|nv|n v|pty|pte|sp z o o|sro|s r o|
		kft|zrt|doo|d o o|ood|eood|pvt|kk|k k`, "|") {
		forms = append(forms, strings.Fields(line))
	}
	return forms
}()

// legal are legal forms of one word.
var legal = func() map[string]bool {
	set := map[string]bool{}
	for _, form := range forms {
		if len(form) == 1 {
			set[form[0]] = true
		}
	}
	return set
}()

// titles are how people are addressed, by one word for each.
var titles = pairs(`mr:mr mister:mr herr:mr senor:mr monsieur:mr mrs:mrs ms:ms miss:ms mme:mrs madame:mrs frau:mrs senora:mrs
	dr:doctor doctor:doctor prof:professor professor:professor sir:sir dame:dame lord:lord lady:lady captain:captain capt:captain
	cpt:captain commander:commander cmdr:commander cdr:commander lieutenant:lieutenant lt:lieutenant sergeant:sergeant sgt:sergeant
	general:general gen:general colonel:colonel col:colonel major:major maj:major admiral:admiral adm:admiral
	brother:brother br:brother bro:brother sister:sister father:father fr:father mother:mother reverend:reverend rev:reverend
	king:king queen:queen prince:prince princess:princess count:count countess:countess duke:duke duchess:duchess baron:baron
	baroness:baroness president:president senator:senator sen:senator judge:judge uncle:uncle aunt:aunt auntie:aunt`)

// men and women are titles that tell.
var (
	men   = words(`mr sir lord brother father king prince count duke baron uncle`)
	women = words(`mrs ms dame lady sister mother queen princess countess duchess baroness aunt`)
)

// generations tell father and son apart.
var generations = pairs(`jr:junior junior:junior sr:senior senior:senior ii:2 iii:3 iv:4 2:2 3:3 4:4`)

var numerals = map[string]string{"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8", "IX": "9"}

func pairs(list string) map[string]string {
	all := map[string]string{}
	for p := range strings.FieldsSeq(list) {
		key, value, _ := strings.Cut(p, ":")
		all[key] = value
	}
	return all
}

// states are the postal abbreviations of the states of the USA.
var states = func() map[string]string {
	all := map[string]string{}
	for p := range strings.SplitSeq(`AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|
FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|
MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|
NM New Mexico|NY New York|NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|
SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|WV West Virginia|WI Wisconsin|
WY Wyoming`, "|") {
		short, long, _ := strings.Cut(strings.TrimSpace(p), " ")
		all[short] = long
	}
	return all
}()

// nicknames are short forms of given names: each line a name and what its bearers are called. What one name is called
// another may be, too; then it does not tell which.
var nicknames = func() map[string][]string {
	roots := map[string][]string{}
	for line := range strings.SplitSeq(`abigail abby gail
abraham abe bram
albert al bert bertie
alexander alex sandy xander lex sasha alec alejandro aleksander
alexandra alex sandy sandra lexi sasha
alfred alf alfie fred freddie
allison allie ally
amanda mandy
andrew andy drew andreas andre
angela angie
ann anne annie anna nan nancy
anthony tony ant antonio
antonia toni tonia
arthur art artie
barbara barb barbie babs
benjamin ben benny benji
bernard bernie
bradley brad
catherine cathy cate katherine kathryn
charles charlie chuck chas carl karl
charlotte lottie charlie
christian chris
christina chris chrissy tina kristina
christopher chris kit topher
clifford cliff
cynthia cindy
daniel dan danny
danielle dani
david dave davy
deborah deb debbie
dennis denny
donald don donnie
dorothy dot dottie dolly
douglas doug
edward ed eddie ted teddy ned
edmund ed eddie ted ned
edwin ed eddie
eleanor ellie nell nora
elizabeth liz lizzie beth betty betsy eliza elsie libby bess lisa lisbeth
emily em emmy
ernest ernie
eugene gene
ezekiel zeke
florence flo
frances fran frannie
francis frank
franklin frank
frederick fred freddie rick
gabriel gabe
gabrielle gabby
geoffrey geoff jeff
george georgie
gerald gerry jerry
gregory greg
harold harry hal
henry harry hank hal heinz heinrich
isaac ike
isabella bella izzy isabel
jacob jake
james jim jimmy jamie jaime
jane janie
janet jan
jason jay
jeffrey jeff geoff
jennifer jen jenny jenn
jeremiah jerry
jessica jess jessie
joanna jo joanne
john johnny jack jon
jonathan jon jonny
joseph joe joey jo josef
josephine jo josie joey
joshua josh
judith judy
julia julie jules
katherine kate katie kathy kat kitty kay kathryn catherine
kenneth ken kenny
kimberly kim
lawrence larry laurie
leonard leo len lenny
leonardo leo
lillian lily lil
louis lou louie
louise lou
madeline maddie
margaret maggie meg peggy marge margie greta daisy madge rita
maria mary mia
martha marty
martin marty
matthew matt
maximilian max
maxwell max
melissa mel missy
michael mike mick mickey mikey miguel michel
michelle shelly
mitchell mitch
nathan nate
nathaniel nate nat
nicholas nick nicky nico
nicole nicky
oliver ollie
olivia liv livvy
pamela pam
patricia pat patty trish tricia
patrick pat paddy rick
peter pete pedro
philip phil pip
rachel rach
raymond ray
rebecca becky becca
reginald reg reggie
richard rick dick rich richie ricky
robert bob rob bobby robbie bert roberto
roberta bobbie
ronald ron ronnie
rosemary rose rosie
russell russ
samantha sam sammy
samuel sam sammy
sarah sally sadie
sebastian seb bastian
sophia sophie
stanley stan
stephanie steph stevie
stephen steve stevie steven
steven steve stevie stephen
susan sue suzie susie
suzanne sue suzie
terence terry
theodore ted teddy theo
theresa terry tess tessa
thomas tom tommy tomas
timothy tim timmy
tobias toby
valerie val
veronica ronnie
victor vic
victoria vicky vic tori
vincent vince vinny
virginia ginny
walter walt wally
wesley wes
wilhelmina mina wilma
william bill will billy willy liam wim
zachary zach zack
zedekiah zed`, "\n") {
		names := strings.Fields(line)
		for _, called := range names {
			roots[called] = append(roots[called], names[0])
		}
	}
	return roots
}()
