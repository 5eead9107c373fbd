package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Put is PutAll of one.
func (t *tx) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	return memory.One(t.PutAll(ctx, []memory.Entry{{Memory: m, Vectors: vectors}}, why))
}

// PutAll stores or recognises memories: however many, by one question, and by one statement for each table in which
// something becomes of them.
func (t *tx) PutAll(_ context.Context, entries []memory.Entry, why memory.Why) ([]memory.Written, error) {
	all, drafts := make([]memory.Written, len(entries)), make([]*draft, len(entries))
	for i := range entries {
		drafts[i], all[i].Err = t.draft(&entries[i], why)
	}
	k, err := t.recognise(drafts...)
	if err != nil {
		return nil, err
	}
	p := page{tx: t, known: k}
	for i, d := range drafts {
		if d == nil {
			continue
		}
		if all[i], err = p.put(d); err != nil {
			return nil, err
		}
	}
	p.send()
	return all, nil
}

// Replace writes the next version.
func (t *tx) Replace(_ context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, error) {
	if !isUUID(m.ID) {
		return memory.Memory{}, notFound()
	}
	d, err := t.draft(&memory.Entry{Memory: m, Vectors: vectors}, why)
	if err != nil {
		return memory.Memory{}, err
	}
	k, err := t.recognise(d)
	if err != nil {
		return memory.Memory{}, err
	}
	p := page{tx: t, known: k}
	external, same, stands := p.find(d)
	switch {
	case stands == nil:
		return memory.Memory{}, notFound()
	case external != nil && external != stands:
		return memory.Memory{}, fault.New(fault.Conflict, "another memory has this external_id")
	case same != nil && same != stands:
		return memory.Memory{}, fault.New(fault.Conflict, "another memory says the same")
	}
	m, err = p.replace(stands, d)
	p.send()
	return m, err
}

// draft is an entry as it would be kept.
type draft struct {
	memory.Entry
	why         memory.Why
	fingerprint [sha256.Size]byte
}

func (t *tx) draft(e *memory.Entry, why memory.Why) (*draft, error) {
	kept, err := e.Canonical(t.scope)
	if err != nil {
		return nil, err
	}
	if kept.ID != "" && !isUUID(kept.ID) {
		return nil, fault.BadField("id", "must be a UUID")
	}
	return &draft{kept, e.ToldBy(why), kept.Fingerprint()}, nil
}

// known are current versions by what memories are recognised by: external id, what they say, id.
type known struct {
	external map[string]*standing
	same     map[[sha256.Size]byte]*standing
	named    map[memory.ID]*standing
}

func (k *known) add(s *standing) {
	k.named[s.ID], k.same[s.Fingerprint()] = s, s
	if s.ExternalID != "" {
		k.external[s.ExternalID] = s
	}
}

func (k *known) remove(s *standing) {
	delete(k.named, s.ID)
	delete(k.same, s.Fingerprint())
	delete(k.external, s.ExternalID)
}

// recognition asks for the versions that have one of so many external ids, fingerprints and ids.
var recognition = `SELECT ` + standingColumns + ` FROM (SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2
		AND x.external_id <> '' AND x.external_id = ANY($3::text[]) ORDER BY x.external_id) m
	UNION ALL SELECT ` + standingColumns + ` FROM ` + currentAmong("fingerprint", `$4::bytea[]`) + ` m
	UNION ALL SELECT ` + standingColumns + ` FROM ` + currentAmong("id", `$5::uuid[]`) + ` m`

// recognise looks for all that the drafts could be. Drafts may be nil.
func (t *tx) recognise(drafts ...*draft) (*known, error) {
	k := &known{map[string]*standing{}, map[[sha256.Size]byte]*standing{}, map[memory.ID]*standing{}}
	var externals []string
	var ids []pgtype.UUID
	var fingerprints [][]byte
	for _, d := range drafts {
		if d == nil {
			continue
		}
		fingerprints = append(fingerprints, d.fingerprint[:])
		if d.ExternalID != "" {
			externals = append(externals, d.ExternalID)
		}
		if d.ID != "" {
			ids = append(ids, uuidOf(d.ID))
		}
	}
	if len(fingerprints) == 0 {
		return k, nil
	}
	s := newScanner(t.scope)
	err := t.rows(recognition, []any{t.scope.Tenant, t.scope.Project, externals, fingerprints, ids}, func(rows pgx.Rows) error {
		stands := &standing{}
		if err := s.scan(rows, &stands.document, &stands.words); err != nil {
			return err
		}
		if k.named[memory.ID(s.id)] != nil {
			return nil // found by something else, too
		}
		var err error
		stands.Version, err = s.version()
		k.add(stands)
		return err
	})
	return k, t.failed("read memories", err)
}

// page is what has been decided about drafts, one after the other, and is sent together.
type page struct {
	*tx
	*known
	rows []*row
}

// put decides what becomes of a draft.
func (p *page) put(d *draft) (memory.Written, error) {
	external, same, named := p.find(d)
	switch {
	case external != nil && !d.SameAs(&external.Memory):
		m, err := p.replace(external, d)
		return memory.Written{Memory: m, Outcome: memory.Updated}, err
	case external != nil:
		return recognisedAs(external), nil
	case same != nil:
		return recognisedAs(same), nil
	case named != nil && d.SameAs(&named.Memory):
		return recognisedAs(named), nil
	case named != nil && !d.Anew:
		return memory.Written{Err: fault.New(fault.Conflict, "another memory has the id %s", d.ID)}, nil
	case named != nil || d.ID == "":
		d.ID = memory.NewID()
	}
	m, err := p.create(d)
	return memory.Written{Memory: m, Outcome: memory.Created}, err
}

func recognisedAs(s *standing) memory.Written {
	return memory.Written{Memory: s.Memory.Clone(), Outcome: memory.Deduplicated}
}

// find returns the standing memories that could be the draft. What has expired is deleted on the way.
func (p *page) find(d *draft) (external, same, named *standing) {
	return p.living(p.external[d.ExternalID]), p.living(p.same[d.fingerprint]), p.living(p.named[d.ID])
}

func (p *page) living(s *standing) *standing {
	if s == nil || !s.Expired(p.now) {
		return s
	}
	if p.named[s.ID] == s { // or it has just been found by something else
		p.settle(s)
		p.delete(s)
		p.remove(s)
	}
	return nil
}

// settle makes sure that the version is in the database before anything is done to it there.
func (p *page) settle(s *standing) {
	if len(p.rows) > 0 && s.document >= p.rows[0].seq {
		p.send()
	}
}

// create makes a new memory of the draft.
func (p *page) create(d *draft) (memory.Memory, error) {
	m := &d.Memory
	m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = 1, p.now, p.now, memory.EmbeddingPending
	return p.version(d, nil)
}

// replace makes the draft the version after old.
func (p *page) replace(old *standing, d *draft) (memory.Memory, error) {
	p.settle(old)
	at := p.now
	if earliest := old.UpdatedAt.Add(time.Microsecond); at.Before(earliest) {
		at = earliest
	}
	m := &d.Memory
	m.ID, m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = old.ID, old.Memory.Version+1, old.CreatedAt, at, memory.EmbeddingPending
	if m.Content == old.Content {
		m.Embedding = old.Embedding
	}
	if m.Content != old.Content {
		p.gone = append(p.gone, m.ID)
	}
	p.discount(old)
	p.remove(old)
	return p.version(d, old)
}

// version keeps back the draft as the newest version of its memory.
func (p *page) version(d *draft, old *standing) (memory.Memory, error) {
	if len(d.Vectors) > 0 {
		d.Embedding = memory.EmbeddingReady
	}
	r := &row{Memory: d.Memory, why: d.why, told: d.Told, fingerprint: d.fingerprint, vectors: d.Vectors, old: old}
	var err error
	if r.derived, err = p.compose(&r.Memory); err != nil {
		return memory.Memory{}, err
	}
	if r.seq, err = p.number(); err != nil {
		return memory.Memory{}, p.failed("read the feed", err)
	}
	p.gain(r.length)
	p.rows = append(p.rows, r)
	p.add(&standing{Version: memory.Version{Memory: r.Memory}, document: r.seq, words: r.words})
	return r.Memory.Clone(), nil
}
