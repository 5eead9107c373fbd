package main

// sabotage is one way to break a promise.
type sabotage struct {
	promise string // as the architecture words it
	what    string // what is broken
	file    string // from the repository's root
	old     string // stands in the file exactly once
	new     string
	tests   string // the package whose tests must notice
	run     string // and which of them
}

const (
	acknowledged = "an acknowledged write is never lost"
	readYourOwn  = "a read sees the write whose token it carries"
	idempotent   = "a request with a key has one effect and one answer"
	onceOnly     = "a repeated event has one effect"
	announced    = "what is committed is announced, in order"
	noQdrant     = "without Qdrant searches are answered all the same"
	disbelieved  = "Qdrant is never believed"
	noRedis      = "Redis may be away or lie"
	apart        = "a part of a search that fails takes no other along"
	together     = "what is told at once is written together, and each by whoever tells it"
	noStampede   = "many who miss at once ask once"
	undisturbed  = "no tenant notices another"
	notOverspent = "a budget is never overspent, and books balance"
	wholeAnswers = "half an answer of a language model, or one that does not follow its schema, is none"
	exhausted    = "an exhausted budget refuses what costs something, and loses nothing"
	onlyPriced   = "a dry run asks nobody and changes nothing"
	unforged     = "no text in a context is taken for another block, heading or memory"
	revocable    = "a block is changed by who has seen what it says, and every change can be undone"
	undoable     = "a merge of entities that is undone leaves what there would be without it"
	wellNamed    = "names are merged as well as committed"
)

var sabotages = []sabotage{
	{acknowledged, "writers are answered before the commit", "pkg/groupcommit/groupcommit.go",
		"	err = tx.Commit()\n	committed = true\n",
		"	others := members\n	members = nil\n	for _, w := range others {\n		if w == self {\n			members = append(members, w)\n		} else {\n			w.signals <- signal[T]{}\n		}\n	}\n	time.Sleep(20 * time.Millisecond)\n	err = tx.Commit()\n	committed = true\n",
		"./pkg/postgres", "^TestNoAcknowledgedWriteIsLostWhenEngineOrDatabaseAreKilled$"},
	{acknowledged, "the database confirms before it has written", "pkg/postgres/kill_test.go",
		"h := newHarness(t, nil)", `h := newHarness(t, map[string]string{"synchronous_commit": "off"})`,
		"./pkg/postgres", "^TestNoAcknowledgedWriteIsLostWhenEngineOrDatabaseAreKilled$"},

	{readYourOwn, "a search does not mind the state it must answer from", "pkg/search/service.go",
		"if seq < r.AtLeast {", "if false {",
		"./pkg/search", "^TestAReaderIsNeverServedLessThanItHasSeen$"},
	{readYourOwn, "what Qdrant does not have yet is not looked for", "pkg/qdrant/dense.go",
		"	rows := recent.rows\n", "	rows := recent.rows[:0]\n",
		"./pkg/qdrant", "^TestWhateverQdrantDoesTheAnswerIsRight$"},

	{idempotent, "answers are not kept (PostgreSQL)", "pkg/postgres/once.go",
		"	if answer == nil {\n", "	if answer == nil || true {\n		return nil\n	}\n	if answer == nil {\n",
		"./pkg/postgres", "^TestStore"},
	{idempotent, "answers are not kept (SQLite)", "pkg/sqlite/once.go",
		"	if answer == nil {\n", "	if answer == nil || true {\n		return nil\n	}\n	if answer == nil {\n",
		"./pkg/sqlite", "^TestStore"},
	{idempotent, "another request under the same key gets the first one's answer", "pkg/postgres/once.go",
		"case fingerprint != key.Fingerprint:", "case false:",
		"./pkg/postgres", "^TestStore"},

	{onceOnly, "every delivery counts as the first (PostgreSQL)", "pkg/postgres/once.go",
		"return added == 1, nil", "return true, nil",
		"./pkg/postgres", "^TestDuplicateAndReorderedDeliveriesHaveOneEffect$"},
	{onceOnly, "every delivery counts as the first (SQLite)", "pkg/sqlite/once.go",
		`return added == 1, t.failed("record an event", err)`, `return added >= 0, t.failed("record an event", err)`,
		"./pkg/sqlite", "^TestStore"},

	{onceOnly, "events told together are counted each time (PostgreSQL)", "pkg/postgres/gather.go",
		"SELECT tenant, project, count(*) FROM once GROUP BY 1, 2", "SELECT $1, $2, cardinality($4::text[]) FROM (SELECT count(*) FROM once) o",
		"./pkg/postgres", "^TestReflectionsKeepTheContract$/told_together"},

	{announced, "records of a subject do not wait for earlier ones (PostgreSQL)", "pkg/postgres/outbox.go",
		"e.subject = o.subject AND e.position < o.position))`", "e.subject = o.subject AND e.position < 0))`",
		"./pkg/postgres", "^TestRelaysSideBySideSkipNothingAndKeepTheOrder$"},

	{noQdrant, "there is nothing to fall back on", "pkg/qdrant/dense.go",
		"	hits, failed := d.Fallback.Retrieve(ctx, q, depth)\n	if failed != nil {", "	hits, failed := []search.Hit(nil), err\n	if failed != nil {",
		"./pkg/qdrant", "^TestWhateverQdrantDoesTheAnswerIsRight$"},
	{noQdrant, "a Qdrant that failed is asked every time", "pkg/qdrant/breaker.go",
		"return c.ConsecutiveFailures >= tripAfter", "return false",
		"./pkg/qdrant", "^TestAQdrantThatFailsIsLeftAloneAndTriedAgain$"},
	{noQdrant, "a Qdrant that failed is never asked again", "pkg/qdrant/breaker.go",
		"Name: name, Timeout: retry,", "Name: name, Timeout: 1000 * time.Hour,",
		"./pkg/qdrant", "^TestAQdrant"},

	{disbelieved, "rows of other tenants are taken", "pkg/qdrant/tenant.go",
		"case payload[fieldTenant].GetStringValue() != t.scope.Tenant || payload[fieldProject].GetStringValue() != t.scope.Project:", "case false:",
		"./pkg/qdrant", "^TestWhateverQdrantDoesTheAnswerIsRight$"},
	{disbelieved, "scores that are no numbers are taken", "pkg/qdrant/tenant.go",
		"case math.IsNaN(score) || math.IsInf(score, 0):", "case math.IsInf(score, 0):",
		"./pkg/qdrant", "^TestWhateverQdrantDoesTheAnswerIsRight$"},
	{disbelieved, "the store does not have the last word on what was found", "pkg/search/service.go",
		"if m.Scope() == r.Scope && r.Filter.Match(&m) {", "if true {",
		"./pkg/search", "^TestTheIndexIsNeverBelieved$"},

	{noRedis, "values are believed whatever they are", "pkg/redis/seal.go",
		"return value, subtle.ConstantTimeCompare(digest[:], []byte(sealed[:sealBytes])) == 1", "_ = subtle.ConstantTimeCompare(digest[:], digest[:])\n	return value, true",
		"./pkg/redis", "."},
	{noRedis, "a Redis that failed is asked every time", "pkg/redis/guard.go",
		"tripAfter = 5\n", "tripAfter = 1 << 30\n",
		"./pkg/redis", "."},
	{noRedis, "tenant and project of a key run into one another", "pkg/search/cache.go",
		"		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything\n", "",
		"./pkg/search", "^FuzzCacheKey$"},

	{apart, "a transaction that a part has spoilt is kept for the next", "pkg/postgres/sitting.go",
		"if err != nil || s.tx.done {", "if s.tx.done {",
		"./pkg/postgres", "^TestThePartsAfterOneThatFailedDoNotTryTheTransactionItSpoilt$"},

	{together, "what one is to blame for fails the others", "pkg/ingest/together.go",
		"	if len(p.told) == 1 || err == nil {\n", "	if true {\n",
		"./pkg/ingest", "^TestWhatOneIsToBlameForIsNotTheOthersFailure$"},
	{together, "all is told by the first", "pkg/postgres/put.go",
		"&draft{kept, e.ToldBy(why), ", "&draft{kept, why, ",
		"./pkg/postgres", "^TestStoreKeepsTheContractOfMemoryStore$/put_all/each_of_many"},

	{noStampede, "each who misses asks", "pkg/embed/cached.go",
		"c.flights.DoChan(string(name.Sum(nil)),", "new(singleflight.Group).DoChan(string(name.Sum(nil)),",
		"./pkg/embed", "."},

	{undisturbed, "a listing by tag forgets whose it is (SQLite)", "pkg/sqlite/read.go",
		"AND m.id = t.memory_id WHERE t.tenant = ? AND", "AND m.id = t.memory_id WHERE t.tenant >= ? AND", ".", "^TestOneTenantNeverNoticesAnother$/^sqlite"},
	{undisturbed, "a key of one tenant answers another (SQLite)", "pkg/sqlite/once.go",
		"WHERE tenant = ? AND project = ? AND route = ? AND key = ?`,\n		t.scope.Tenant, t.scope.Project, key.Route, key.Key)", "WHERE route = ? AND key = ?`,\n		key.Route, key.Key)",
		".", "^TestOneTenantNeverNoticesAnother$/^sqlite"},

	{notOverspent, "what is held is not counted", "pkg/budget/account.go",
		"sum(used, held, requested); fits && total <= limit", "sum(used, 0, requested); fits && total <= limit",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "a little more than the limit is granted", "pkg/budget/account.go",
		"sum(used, held, requested); fits && total <= limit", "sum(used, held, requested); fits && total <= limit+limit/1000",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "processes do not wait for one another", "pkg/postgres/books.go",
		"hashtextextended($2, 3)", "(random() * 1e9)::bigint",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "a settlement is answered before the commit", "pkg/groupcommit/groupcommit.go",
		"	err = tx.Commit()\n	committed = true\n",
		"	others := members\n	members = nil\n	for _, w := range others {\n		if w == self {\n			members = append(members, w)\n		} else {\n			w.signals <- signal[T]{}\n		}\n	}\n	time.Sleep(20 * time.Millisecond)\n	err = tx.Commit()\n	committed = true\n",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "a reservation that was settled is still held", "pkg/postgres/reservation.go",
		"UPDATE reservations SET status = $4 WHERE", "UPDATE reservations SET status = CASE WHEN $4 = 'settled' THEN status ELSE $4 END WHERE",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "who goes by remembered books does not look how far they have moved", "pkg/postgres/move.go",
		"AND a.held_cost + a.spent_cost <= ($23::bigint[])[i*8-3] AND", "AND",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "who is refused by remembered books does not look whether they still stand", "pkg/postgres/reservation.go",
		"			b.exact = true\n			return nil", "			return nil",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "an account leaves a little more room than its limit does", "pkg/budget/room.go",
		"limit-used-held)", "limit-used-held+1)",
		"./pkg/budget", "^TestWithinItsRoom"},
	{notOverspent, "what will be announced is not in the way of what others book", "pkg/budget/room.go",
		"warningPPM()), 1)-1-used)", "warningPPM()), 1)-used)",
		"./pkg/budget", "^TestWithinItsRoom"},
	{notOverspent, "a settlement with other numbers is taken for the same one", "pkg/budget/reservation.go",
		"return *s.Cost == b.Cost", "return true",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "who gives back believes a lease to be a little longer than who looks for what has ended", "pkg/budget/reservation.go",
		"!now.Before(r.ExpiresAt) {", "!now.Before(r.ExpiresAt.Add(50*time.Millisecond)) {",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "a nano-dollar more is booked than was settled", "pkg/budget/account.go",
		"a.Month.plus(spent)", "a.Month.plus(Amount{Cost: spent.Cost + 1, Tokens: spent.Tokens})",
		"./test/ledger", "^TestProcesses"},
	{notOverspent, "who was killed keeps what it held", "pkg/budget/reservation.go",
		"!now.Before(r.ExpiresAt) {", "now.IsZero() {",
		"./test/ledger", "^TestAProcessKilled"},
	{wholeAnswers, "a stream that ends early is taken for the answer", "pkg/openai/chat.go",
		`case a.finished == "", a.finished == "error":`, `case a.finished == "error":`,
		"./pkg/openai", "^TestChatStandsWhatServersDo$"},
	{wholeAnswers, "answers are not held to their schema", "pkg/llm/remote.go",
		"	err := follow.check(unfenced(got.Text))\n", "	var err error\n",
		"./pkg/llm", "^TestAnAnswerFollowsItsSchema$"},
	{exhausted, "a search is refused for want of money", "pkg/search/service.go",
		"if err := s.rerank(ctx, q, found, candidates); err != nil {\n", "if err := s.rerank(ctx, q, found, candidates); err != nil {\n			if llm.Rejected(err) {\n				return Response{}, err\n			}\n",
		".", "^TestAnEmptyBudget$/^one_process_on_SQLite$"},
	{exhausted, "what the budget does not pay to embed is not stored", "pkg/ingest/embed.go",
		"	if llm.IsDryRun(err) {\n		return nil\n	}\n", "	if llm.IsDryRun(err) {\n		return nil\n	}\n	if llm.Rejected(err) {\n		return err\n	}\n",
		"./pkg/ingest", "^TestWhatTheBudgetDoesNotPayForIsStoredAllTheSame$"},
	{exhausted, "nobody goes on with what was put off when limits change", "functions/store/events.go",
		"		_, err := f.Jobs.Resume(ctx, e.Scope)\n		return err\n", "		return nil\n",
		".", "^TestWhatABudgetPutsOffIsDoneOnceItIsRaised$/^one_process_on_SQLite$"},
	{exhausted, "a function keeps to itself what another said of the budget", "pkg/provider/refusal.go",
		"		return overBudgetOf(c.Name(), text)\n", "		return overBudgetOf(c.Name(), nil)\n",
		"./pkg/provider", "^TestARefusalByRAEsOwnBudgetStaysOne$"},

	{onlyPriced, "the guard makes the call it should price", "pkg/budget/guard.go",
		"if run := llm.DryRunOf(ctx); run != nil {", "if run := llm.DryRunOf(ctx); run != nil && false {",
		"./pkg/budget", "^TestADryRunPricesEveryCallAndMakesNone$"},
	{onlyPriced, "a provider is asked all the same", "pkg/provider/client.go",
		"	case !c.options.TellPayer:\n		return llm.NotInDryRun()\n", "	case !c.options.TellPayer:\n		return c.post(ctx, path, in, out)\n",
		"./pkg/provider", "^TestADryRunAsksRAEsOwnFunctionsForThePriceAndNobodyElse$"},
	{onlyPriced, "the store writes all the same", "pkg/sqlite/commit.go",
		"if err := llm.NoDryRun(ctx); err != nil {", "if err := llm.NoDryRun(ctx); err != nil && false {",
		"./pkg/sqlite", "^TestStoreKeepsTheContractOfMemoryStore$/^transactions$/dry_run"},
	{onlyPriced, "a route that cannot be priced is done instead", "pkg/httpapi/dry_run.go",
		"	case !supported:\n", "	case !supported && false:\n",
		".", "^TestADryRunTellsWhatItWouldCostAndDoesNothing$/^one_process_on_SQLite$"},

	{unforged, "lines of a block begin where headings do", "pkg/search/blocks.go",
		`lines.WriteString("  " + line + "\n")`, `lines.WriteString(line + "\n")`,
		"./pkg/search", "^TestNoTextForgesWhatAContextIsMadeOf$"},
	{unforged, "a line feed alone ends a line of a block", "pkg/search/blocks.go",
		`return r >= '\n' && r <= '\r' ||`, `return r == '\n' ||`,
		"./pkg/search", "^TestNoTextForgesWhatAContextIsMadeOf$"},
	{revocable, "whoever changes a block need not have seen it", "pkg/block/service.go",
		"case r.Expected == 0, r.Expected == at, r.Expected == Absent && at == 0:", "case true:",
		"./pkg/inmem", "^TestBlocksKeepTheContract$"},
	{revocable, "a reflection writes over what a person wrote meanwhile", "pkg/block/service.go",
		"case standing != p.Expected:", "case false:",
		"./pkg/inmem", "^TestBlocksKeepTheContract$"},
	{revocable, "a reflection changes a read-only block", "pkg/block/service.go",
		"		if next.ReadOnly {\n", "		if false {\n",
		"./pkg/inmem", "^TestBlocksKeepTheContract$"},
	{revocable, "the version before is not kept (PostgreSQL)", "pkg/postgres/blocks.go",
		"t.exec(`INSERT INTO block_versions SELECT * FROM blocks WHERE `+blockByRef,", "t.exec(`INSERT INTO block_versions SELECT * FROM blocks WHERE false AND `+blockByRef,",
		"./pkg/postgres", "^TestBlocksKeepTheContract$"},
	{undisturbed, "another user's blocks are in a context (SQLite)", "pkg/sqlite/blocks.go",
		"AND user_id IN ('', ?) AND change <> ?`", "AND user_id IN ('', ?, user_id) AND change <> ?`",
		"./pkg/sqlite", "^TestBlocksKeepTheContract$"},
	{undoable, "merges are played again as they moved whom they moved", "pkg/knowledge/partition.go",
		"from, into := p.Group(d.From), p.Group(d.Into)", "from, into := p.Group(d.Members[0]), p.Group(d.Rest[0])",
		"./pkg/inmem", "^TestRegisterKeepsTheContract$"},
	{undoable, "what a memory mentions stays when it is deleted (SQLite)", "pkg/sqlite/delete.go",
		"		`DELETE FROM entity_mentions WHERE tenant = ? AND project = ? AND memory_id = ?`,\n", "",
		"./pkg/sqlite", "^TestRegisterKeepsTheContract$"},
	{wellNamed, "what only the names allow needs no second reason", "pkg/resolve/cluster.go",
		"back := w.overlap >= enough", "back := true",
		"./pkg/resolve", "^TestQualityOnTheHeldOutHalf$"},
	{wellNamed, "letters of any alphabet are compared", "pkg/resolve/alike.go",
		"len(b.tokens) == 0 || a.scripts != b.scripts:", "len(b.tokens) == 0:",
		"./pkg/resolve", "^TestAConfusableNameIsNotEvenSuggested$"},
}
