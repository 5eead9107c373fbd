"""Everyday talk, made from a small grammar: what people tell each other and what is asked about it afterwards.

There is little openly licensed conversation of today; the sentences here are the project's own, so their use is free. A
sentence is a template whose {slots} are filled at random. No sentence is taken from, or written after, a benchmark.
"""

import re

SLOTS = {
    "name": """Anna Ben Carla David Elena Farid Grace Hassan Irene Jack Keiko Lars Maria Nina Omar Paula Quentin Rosa Sam Tara Uma Victor
        Wendy Xavier Yusuf Zoe Alice Bruno Chloe Daniel Emma Felix Gina Henry Isabel James Karen Liam Maya Noah Olivia Peter Rachel Sofia
        Thomas Ursula Vera William Amir Priya Wei Ingrid Diego Fatima Hiro Katya Leo Michael Sarah John Emily Robert Laura Kevin Julia""",
    "relation": """mother|father|sister|brother|daughter|son|wife|husband|boyfriend|girlfriend|partner|grandmother|grandfather|aunt|uncle|cousin|
        nephew|niece|neighbour|colleague|boss|best friend|roommate|teacher|coach|therapist|doctor|landlord|mentor|classmate|manager""",
    "place": """Lisbon|Paris|Tokyo|Berlin|New York|London|Rome|Chicago|Mexico City|Bangkok|Toronto|Sydney|Cairo|Boston|Seattle|Madrid|Vienna|
        Dublin|Warsaw|Nairobi|Mumbai|Beijing|Texas|Florida|California|Canada|Japan|Italy|Spain|India|Germany|Iceland|the mountains|the beach|
        the countryside|a small village|the lake|the national park|the desert|an island|the city centre|the suburbs""",
    "venue": """the museum|the library|the gym|a concert|the theatre|a restaurant|the farmers market|a wedding|a funeral|the hospital|the dentist|
        the bank|a conference|a workshop|a book club|the zoo|the cinema|an art gallery|a football match|the church|the park|a bakery|a coffee shop|
        the airport|the train station|a yoga class|a dance class|a birthday party|a job interview|a charity event|the animal shelter|a festival|
        a museum exhibition|a parents' evening|the swimming pool|a climbing hall|a garden centre|the courthouse|a support group|a meditation retreat""",
    "activity": """running|swimming|painting|cooking|baking|gardening|hiking|camping|reading|writing poetry|playing the guitar|playing the piano|
        singing in a choir|photography|pottery|knitting|sewing|woodworking|chess|video games|board games|yoga|meditation|dancing|surfing|skiing|
        cycling|fishing|rock climbing|bird watching|learning French|learning to code|volunteering|journaling|boxing|playing tennis|playing basketball|
        horse riding|sailing|making jewellery|drawing|watching films|travelling|weight lifting|astronomy|stand-up comedy|restoring furniture""",
    "thing": """car|bicycle|laptop|phone|camera|guitar|piano|house|apartment|sofa|kitchen table|coat|pair of shoes|wedding dress|necklace|watch|ring|
        book|novel|painting|plant|tent|boat|motorbike|oven|washing machine|fridge|television|backpack|suitcase|passport|ticket|toy|doll|bookshelf|
        lamp|carpet|bed|desk|keyboard|printer|drone|telescope|sewing machine|surfboard|helmet|blanket|cake|present""",
    "animal": "dog|cat|puppy|kitten|rabbit|hamster|parrot|horse|turtle|goldfish|snake|guinea pig|chicken|goat|lizard",
    "food": """pasta|pizza|sushi|curry|soup|salad|bread|chocolate cake|apple pie|pancakes|tacos|dumplings|roast chicken|steak|lentils|tofu|oysters|
        cheese|ice cream|cookies|tea|coffee|red wine|beer|orange juice|smoothies|porridge|eggs|peanuts|shellfish|strawberries|mushrooms|rice""",
    "job": """nurse|teacher|engineer|lawyer|accountant|chef|waiter|pilot|journalist|photographer|architect|programmer|designer|plumber|electrician|
        carpenter|farmer|police officer|firefighter|dentist|vet|pharmacist|scientist|social worker|counsellor|musician|actor|writer|librarian|
        salesperson|manager|consultant|bus driver|mechanic|hairdresser|baker|translator|soldier|judge|student""",
    "field": """biology|chemistry|physics|mathematics|history|psychology|economics|law|medicine|nursing|philosophy|literature|computer science|
        engineering|art history|music|education|political science|marketing|graphic design|social work|mental health|architecture|linguistics""",
    "feeling": """happy|sad|proud|nervous|anxious|excited|tired|exhausted|grateful|lonely|angry|frustrated|relieved|hopeful|disappointed|embarrassed|
        scared|calm|inspired|stressed|overwhelmed|jealous|confident|homesick|surprised|bored|guilty|peaceful|motivated|heartbroken""",
    "illness": """a cold|the flu|a broken leg|a migraine|back pain|diabetes|asthma|an allergy|high blood pressure|depression|insomnia|cancer|a knee injury|
        a fever|an infection|a concussion|arthritis|anaemia|food poisoning|burnout|a toothache""",
    "event": """the wedding|the accident|the move|the interview|the exam|the surgery|the party|the concert|the race|the storm|the flood|the fire|
        the graduation|the divorce|the funeral|the holiday|the road trip|the reunion|the promotion|the launch|the meeting|the election|the marathon""",
    "when": """yesterday|last night|last week|last month|last year|last summer|two days ago|three weeks ago|a few months ago|in January|in March 2021|
        in May|in July 2022|on Monday|on Friday evening|this morning|on the weekend|on 5 June|in 2019|next week|next month|tomorrow|tonight|
        at Christmas|on my birthday|over the holidays|in the spring|in autumn|when I was ten|ten years ago|recently|the other day""",
    "system": """database|web server|payment service|login page|cache|message queue|search index|deployment|build|backup|mobile app|API|container|
        network|firewall|load balancer|scheduler|data pipeline|dashboard|test suite|certificate|disk|cluster|cron job|email gateway""",
    "fault": """timed out|ran out of memory|crashed|returned an error|was slow|lost data|leaked connections|was misconfigured|failed to start|
        was overloaded|rejected the password|dropped packets|filled the disk|deadlocked|was rolled back|expired""",
    "remedy": """restarted it|rolled back the release|raised the limit|added an index|fixed the configuration|increased the timeout|renewed it|
        added more memory|rewrote the query|replaced the disk|patched the library|turned on retries|cleared the cache|opened an incident""",
    "adjective": """beautiful|old|new|expensive|cheap|red|blue|green|huge|tiny|broken|lovely|strange|delicious|difficult|wonderful|boring|famous|
        quiet|noisy|comfortable|dangerous|modern|handmade|second-hand|colourful""",
    "reason": """it was too expensive|I needed a change|the weather was terrible|I wanted to help people|my back hurt|we had no time|it reminded me of
        home|the train was late|I love animals|the company closed|we were expecting a baby|I wanted to learn something new|the doctor told me to|
        I was offered a scholarship|my contract ended|the children were sick|nobody else would do it""",
    "colour": "red|blue|green|yellow|black|white|purple|orange|pink|brown|grey|turquoise",
    "number": "two|three|four|five|six|seven|eight|ten|twelve|fifteen|twenty|thirty|fifty|a hundred",
}

TEMPLATES = """I went to {venue} with my {relation} {when}.
I moved to {place} {when} because {reason}.
{name} moved to {place} {when} and works as a {job} there.
My {relation} is a {job} and lives in {place}.
My {relation} {name} came to visit us from {place} {when}.
We adopted a {adjective} {animal} {when}, and my {relation} already loves it.
Our {animal} is called {name} and is {number} years old.
I bought a {adjective} {thing} {when}, and I am so {feeling} about it.
{name}: I sold my {thing} {when} since {reason}.
I lost my {thing} at {venue} {when}.
My {relation} gave me a {colour} {thing} for my birthday.
I have been {feeling} since {event}.
{event} made me {feeling}, but {activity} helps me a lot.
I started {activity} {when} and I do it {number} times a week.
{activity} is my favourite way to relax after work.
{name} and I talked about {activity} and {field}.
I gave up {activity} {when} because {reason}.
I study {field} and want to become a {job}.
{name} got a degree in {field} in {place}.
I got a new job as a {job} {when}!
I quit my job as a {job}; {reason}.
My {relation} was diagnosed with {illness} {when}.
I have {illness}, so I can't go to {venue} {when}.
I am allergic to {food}, please remember that.
I never eat {food}, but I love {food}.
We cooked {food} and {food} for {number} friends {when}.
My favourite food is {food}, and my favourite colour is {colour}.
The {system} {fault} {when}, so we {remedy}.
After {event} the {system} {fault}; {name} {remedy}.
Please always answer in short sentences and never mention {food}.
Remind me to call my {relation} {when}.
We decided to use another {system} because the old one {fault}.
{name} thinks that {activity} is {adjective} and {activity} is boring.
It was {adjective} to see {name} at {venue} {when}.
We are planning a trip to {place} with {name} {when}.
The trip to {place} was {adjective}; we saw a {adjective} {animal}.
I read a {adjective} book about {field} {when}.
Thanks, {name}! I felt really {feeling} at {venue}.
Wow, that sounds {adjective}! How long have you been {activity}?
I'm so {feeling} for you, {name}. How was {event}?
Hey {name}, what have you been up to? I was at {venue} {when}.
My {relation} and I have been married for {number} years.
I have {number} children and a {animal}.
We painted the {thing} {colour} {when}.
{name} is afraid of {animal}s and of {activity}.
My {relation} taught me {activity} when I was young.
I won a prize for {activity} {when}.
{name} donated a {thing} to {venue}.
I signed up for a class in {activity} in {place}.
The {thing} in my room came from {place}.
When did {name} move to {place}?
Where did {name} go {when}?
When did {name} go to {venue}?
What did {name} buy {when}?
Why did {name} move to {place}?
Why did {name} give up {activity}?
Who gave {name} the {thing}?
What is {name}'s job?
What does {name} study?
What is the name of {name}'s {animal}?
How many children does {name} have?
How does {name} feel about {event}?
What did {name} do after {event}?
How long has {name} been {activity}?
What does {name} do to relax?
Which food is {name} allergic to?
What hobbies does {name} have?
What colour is {name}'s {thing}?
What illness does {name}'s {relation} have?
Where does {name}'s {relation} live?
What happened to the {system} {when}?
Why was the {system} down?
How was the {system} repaired?
Who repaired the {system} after {event}?
What did {name} and their {relation} do at {venue}?
Does {name} like {food}?
Would {name} enjoy {activity}?
What would {name} like as a present, a {thing} or a {thing}?
Has {name} ever been to {place}?
What instrument or sport does {name} practise?
Which book about {field} did {name} read?
What are {name}'s plans for {when}?
What kind of {thing} does {name} own?"""


def talk(rng, count):
    """count sentences, the same for the same rng (a random.Random)."""
    slots = {k: [" ".join(x.split()) for x in (v.split("|") if "|" in v else v.split())] for k, v in SLOTS.items()}
    templates = TEMPLATES.split("\n")
    fill = lambda m: rng.choice(slots[m.group(1)])
    return [re.sub(r"\{(\w+)\}", fill, rng.choice(templates)) for _ in range(count)]


# What is said, and what is later asked of it in other words.
PAIRS = """I gave up {activity} {when} because {reason}.|Why did {speaker} stop {activity}?
My {relation} was diagnosed with {illness} {when}.|What disease does {speaker}'s {relation} suffer from?
I have {illness}, so I can't come to {venue}.|What is wrong with {speaker}'s health?
We adopted a {adjective} {animal} {when}.|What pet did {speaker} get?
Our {animal} is called {name} and is {number} years old.|How old is {speaker}'s {animal}?
I bought a {adjective} {thing} {when}, it was a bargain.|What did {speaker} purchase?
I moved to {place} {when} to be closer to my {relation}.|Where does {speaker} live now?
My {relation} lives in {place} and works as a {job}.|What is the profession of {speaker}'s {relation}?
I got a new job as a {job} {when}!|What does {speaker} do for a living?
I quit working as a {job}; {reason}.|Why did {speaker} leave the job?
I study {field} and want to become a {job}.|What is {speaker} learning at university?
I started {activity} {when} and do it {number} times a week.|What hobby did {speaker} take up?
Whenever I am {feeling}, {activity} helps me to relax.|How does {speaker} cope with stress?
I am allergic to {food}.|What can {speaker} not eat?
I could eat {food} every day, it is my favourite.|Which dish does {speaker} like best?
I lost my {thing} at {venue} {when}.|What went missing from {speaker}?
My {relation} gave me a {colour} {thing} for my birthday.|What present did {speaker} receive?
I went to {venue} with my {relation} {when}.|Who accompanied {speaker} to {venue}?
We are planning a trip to {place} {when}.|What travel plans does {speaker} have?
We spent our holiday in {place} and saw a {adjective} {animal}.|Where did {speaker} go on vacation?
I read a {adjective} book about {field} {when}.|What has {speaker} been reading?
I won a prize for {activity} {when}.|What award did {speaker} get?
I donated my {thing} to {venue} {when}.|What did {speaker} give away?
My {relation} and I have been married for {number} years.|How long has {speaker} had a spouse?
I have {number} children and they love {activity}.|How many kids does {speaker} have?
We painted the {thing} {colour} {when}.|What colour did {speaker} choose for the {thing}?
I am so {feeling} about {event}.|How does {speaker} feel since {event}?
My {relation} taught me {activity} when I was young.|Who showed {speaker} how to do {activity}?
I signed up for a class in {activity} {when}.|Which course did {speaker} enrol in?
I broke my leg while {activity} {when}.|How was {speaker} injured?
My {relation} died {when}, I still miss them.|Which relative did {speaker} lose?
We celebrated my {relation}'s birthday at {venue} {when}.|What party did {speaker} attend?
The {system} {fault} {when}, so we {remedy}.|Why did the {system} fail and how was it solved?
I {remedy} after the {system} {fault}.|What did {speaker} do about the {system} outage?
I volunteer at {venue} {number} times a month.|How does {speaker} help the community?
I sold my {thing} because {reason}.|Why does {speaker} no longer own a {thing}?
My {relation} is getting married in {place} {when}.|Where will the wedding of {speaker}'s {relation} be?
I can't sleep since {event}.|What keeps {speaker} awake at night?
I grew up in {place}.|Where did {speaker} spend their childhood?
I met {name} at {venue} {when}.|How did {speaker} get to know {name}?"""


def exchanges(rng, count, together=256):
    """count pairs of a question and the turn that answers it. Each run of together pairs has two speakers."""
    slots = {k: [" ".join(x.split()) for x in (v.split("|") if "|" in v else v.split())] for k, v in SLOTS.items()}
    templates = [p.split("|") for p in PAIRS.split("\n")]
    found = []
    while len(found) < count:
        speakers = rng.sample(slots["name"], 2)
        for _ in range(together):
            own = {k: rng.choice(v) for k, v in slots.items()} | {"speaker": rng.choice(speakers)}
            fill = lambda t: re.sub(r"\{(\w+)\}", lambda m: own[m.group(1)], t)
            turn, question = rng.choice(templates)
            found.append((fill(question), f"{own['speaker']}: {fill(turn)}"))
    return found[:count]
