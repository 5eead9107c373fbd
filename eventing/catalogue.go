// Package eventing is the one place that knows RAE's events: which types exist, who publishes and who takes them, what
// their data looks like, how they travel as CloudEvents over HTTP, and what an answer to a broker means.
//
// A change is written to the outbox in the transaction of the data it announces ([pkg/outbox]); [Relay] sends it to a
// [Sender], which is a real broker ([HTTPSender]) or the one inside the process ([Broker]); a function takes it with
// [Handler]. Delivery is at least once at every step, and an event is recognised by its source and id, which no
// redelivery changes.
package eventing

import (
	"slices"

	"github.com/rae-memory/rae/pkg/outbox"
)

// Types of events.
const (
	MemoryStored      = "dev.rae.memory.stored.v1"
	MemoryUpdated     = "dev.rae.memory.updated.v1"
	MemoryDeleted     = "dev.rae.memory.deleted.v1"
	MemoryDerived     = "dev.rae.memory.derived.v1"
	MemoryEmbedded    = "dev.rae.memory.embedded.v1"
	BlockUpdated      = "dev.rae.block.updated.v1"
	ReflectionCreated = "dev.rae.reflection.created.v1"
	BudgetWarning     = "dev.rae.budget.warning.v1"
	BudgetExceeded    = "dev.rae.budget.exceeded.v1"
	BudgetChanged     = "dev.rae.budget.changed.v1"
	DrainDue          = "dev.rae.drain.due.v1"
	MaintenanceDue    = "dev.rae.maintenance.due.v1"
	ReflectionDue     = "dev.rae.reflection.due.v1"
	JobDue            = "dev.rae.job.due.v1"
	TenantErased      = "dev.rae.tenant.erased.v1"
)

// Ping is the type of everything a Knative PingSource sends; a PingSource cannot set another. Its extension
// [ClockExtension], set by ceOverrides, names the clock event it stands for, and a Trigger filters on that.
const (
	Ping           = "dev.knative.sources.ping"
	ClockExtension = "raeclock" // "drain.due", "maintenance.due" or "reflection.due"
)

// Entry is one type of the catalogue.
type Entry struct {
	Type        string
	Record      string   // the type of its outbox records; for a clock event, the value of ClockExtension
	Publishers  []string // functions that announce it, the owner of its data first; "clock" is a PingSource
	Subscribers []string // functions that take it; empty for those that are for programs outside RAE
	Scope       Scoping
}

// Scoping says what an event tells about tenant and project.
type Scoping int

const (
	Scoped   Scoping = iota // it belongs to one tenant and project and says which
	OfTenant                // it belongs to one tenant and says which; of what project it may say, too
	Unscoped                // it concerns everybody unless it names a tenant, or a tenant and a project
)

// catalogue is who publishes and who takes what. func.yaml and the Triggers must say the same.
var catalogue = []Entry{
	{MemoryStored, outbox.MemoryStored, []string{"store"}, []string{"search", "embed", "reflect"}, Scoped},
	{MemoryUpdated, outbox.MemoryUpdated, []string{"store"}, []string{"search", "embed"}, Scoped},   // new content may lack its vector
	{MemoryDeleted, outbox.MemoryDeleted, []string{"store"}, []string{"search", "reflect"}, Scoped}, // it is no longer one that was read
	{MemoryDerived, outbox.MemoryDerived, []string{"reflect"}, []string{"store"}, Scoped},
	{MemoryEmbedded, outbox.MemoryEmbedded, []string{"embed"}, []string{"store"}, Scoped},
	{BlockUpdated, outbox.BlockUpdated, []string{"store"}, nil, Scoped}, // whoever keeps a copy, or shows it, follows
	{ReflectionCreated, outbox.ReflectionCreated, []string{"reflect"}, nil, Scoped},
	{BudgetWarning, outbox.BudgetWarning, []string{"budget"}, nil, OfTenant},
	{BudgetExceeded, outbox.BudgetExceeded, []string{"budget"}, nil, OfTenant},
	{BudgetChanged, outbox.BudgetChanged, []string{"budget"}, []string{"store", "reflect"}, OfTenant}, // jobs and reflections it put off go on
	{DrainDue, "drain.due", []string{"clock"}, []string{"store", "budget"}, Unscoped},
	{MaintenanceDue, "maintenance.due", []string{"clock"}, []string{"reflect"}, Unscoped},
	{ReflectionDue, outbox.ReflectionDue, []string{"reflect", "clock"}, []string{"reflect"}, Unscoped},
	{JobDue, outbox.JobDue, []string{"store"}, []string{"store"}, Scoped}, // drain.due goes on with those that nobody is woken for
	{TenantErased, outbox.TenantErased, []string{"store"}, []string{"search", "embed"}, OfTenant},
}

// Catalogue returns every entry, in the order of the flow.
func Catalogue() []Entry {
	all := slices.Clone(catalogue)
	for i := range all {
		all[i].Publishers = slices.Clone(all[i].Publishers)
		all[i].Subscribers = slices.Clone(all[i].Subscribers)
	}
	return all
}

// Subscribed returns the types a function takes, sorted.
func Subscribed(function string) []string {
	var types []string
	for _, e := range catalogue {
		if slices.Contains(e.Subscribers, function) {
			types = append(types, e.Type)
		}
	}
	slices.Sort(types)
	return types
}

// Source is the CloudEvents source of the entry's events: it names the owner of the data and not the process that
// relays it, so that one event has one identity whoever sends it.
func (e Entry) Source() string { return "/rae/" + e.Publishers[0] }

// SchemaURI is the dataschema attribute of the entry's events and the $id of the schema in schemas/.
func (e Entry) SchemaURI() string { return "urn:rae:event:" + e.Type }

// entryOf finds a CloudEvents type.
func entryOf(eventType string) (Entry, bool) {
	return find(func(e Entry) bool { return e.Type == eventType })
}

// entryOfRecord finds the type of an outbox record.
func entryOfRecord(recordType string) (Entry, bool) {
	return find(func(e Entry) bool { return e.Record == recordType })
}

func find(match func(Entry) bool) (Entry, bool) {
	if i := slices.IndexFunc(catalogue, match); i >= 0 {
		return catalogue[i], true
	}
	return Entry{}, false
}
