package text

import "strings"

// irregular maps inflected forms that no suffix rule reaches to their base: strong verbs and irregular plurals. Left
// out are forms that are as often another word ("saw", "left", "found", "felt", "lay", "rose", "dove", "leaves", "lives").
var irregular = pairsOf(`
	arose arise  arisen arise  ate eat  eaten eat  awoke awake  awoken awake  beaten beat  became become  began begin  begun begin
	bent bend  bitten bite  bled bleed  blew blow  blown blow  bought buy  bred breed  broke break  broken break  brought bring
	built build  burnt burn  came come  caught catch  chose choose  chosen choose  clung cling  crept creep  dealt deal
	drank drink  drunk drink  drawn draw  drew draw  dreamt dream  driven drive  drove drive  dug dig  fallen fall  fed feed
	fell fall  fled flee  flew fly  flown fly  forbade forbid  forgave forgive  forgiven forgive  forgot forget  forgotten forget
	fought fight  froze freeze  frozen freeze  gave give  given give  gone go  got get  gotten get  grew grow  grown grow  held hold
	hid hide  hidden hide  hung hang  kept keep  knelt kneel  knew know  known know  laid lay  leapt leap  learnt learn  led lead
	lent lend  lit light  lost lose  made make  meant mean  met meet  mistook mistake  overcame overcome  paid pay  ran run
	rang ring  rebuilt rebuild  ridden ride  risen rise  rode ride  said say  sang sing  sank sink  sat sit  seen see
	sent send  sewn sew  shaken shake  shook shake  shone shine  shot shoot  shown show  shrank shrink  slept sleep  slid slide
	sold sell  sought seek  sown sow  spelt spell  spent spend  spoke speak  spoken speak  sprang spring  stole steal  stolen steal
	stood stand  struck strike  stuck stick  stung sting  sung sing  sunk sink  swam swim  swept sweep  swore swear  sworn swear
	swum swim  swung swing  taken take  taught teach  thought think  threw throw  thrown throw  told tell  took take  tore tear
	torn tear  understood understand  undertook undertake  undertaken undertake  upheld uphold  went go  wept weep  withdrew withdraw
	withdrawn withdraw  woke wake  woken wake  won win  wore wear  worn wear  wove weave  woven weave  wrote write  written write
	children child  feet foot  geese goose  knives knife  loaves loaf  men man  mice mouse  people person
	shelves shelf  teeth tooth  thieves thief  wives wife  wolves wolf  women woman
`)

func pairsOf(list string) map[string]string {
	pairs := map[string]string{}
	words := strings.Fields(list)
	for i := 0; i+1 < len(words); i += 2 {
		pairs[words[i]] = words[i+1]
	}
	return pairs
}
