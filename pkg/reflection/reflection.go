// Package reflection turns raw memories into knowledge with evidence: insights over related memories, one memory for
// many near-duplicates, what is said of a recurring entity, and the fading of what nobody needed.
//
// It works without a language model and says so (method "extractive"): an insight quotes its sources byte for byte and
// adds nothing but a plain heading of terms and dates that stand in them. Work is queued, claimed under a lease with a
// fencing token, and finished in one transaction with the events that announce it, so a worker may die anywhere. Ids
// of derived memories follow from their evidence: the same work done twice writes the same rows.
package reflection

import (
	"slices"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Kind says what a reflection does.
type Kind string

const (
	Insight     Kind = "insight"     // one memory per group of related memories, quoting the central sentences
	Consolidate Kind = "consolidate" // one memory per group of near-duplicates
	Extract     Kind = "extract"     // one memory per entity that several memories mention
	Promote     Kind = "promote"     // one semantic memory per statement that was told again and again
	Summarize   Kind = "summarize"   // one long-term memory per session that has been quiet for long
	Merge       Kind = "merge"       // archives all but the newest of memories that say the same
	Decay       Kind = "decay"       // lowers the importance of what has not been touched for long
	Forgetting  Kind = "forget"      // archives, and later deletes, by the project's policies; or brings back
)

// Kinds lists every kind that can be asked for as it is: forgetting goes by policies.
func Kinds() []Kind { return []Kind{Insight, Consolidate, Extract, Promote, Summarize, Merge, Decay} }

// Status is where a reflection stands.
type Status string

const (
	Queued    Status = "queued"    // waits for a worker
	Running   Status = "running"   // a worker holds its lease, or died holding it
	Succeeded Status = "succeeded" // done; it may have found nothing to say
	Failed    Status = "failed"    // ended without effect; Error says why
	Parked    Status = "parked"    // waits for the budget's refill
	Cancelled Status = "cancelled" // somebody called it off
)

// Final reports whether nothing will happen to a reflection of this status any more.
func (s Status) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Method says how a reflection came to its words.
type Method string

const (
	LLM        Method = "llm"
	Extractive Method = "extractive" // quoted and counted, no language model asked
)

// Reflection is one piece of reflecting, from the request to what came of it.
type Reflection struct {
	ID        memory.ID     `json:"id"`
	TenantID  string        `json:"tenant_id"`
	ProjectID string        `json:"project_id"`
	Kind      Kind          `json:"kind" enum:"insight,consolidate,extract,promote,summarize,merge,decay,forget"`
	Filters   memory.Filter `json:"filters"`
	Since     *time.Time    `json:"since,omitempty"`
	Until     *time.Time    `json:"until,omitempty"`

	Status   Status   `json:"status" enum:"queued,running,succeeded,failed,parked,cancelled"`
	Method   Method   `json:"method" enum:"llm,extractive"`
	Degraded []string `json:"degraded"` // what was cut short or done without: "window", "long_content", "grounding", "memory_ids", "llm", "budget", "refused"

	Sources   []memory.Citation `json:"sources"`    // every span quoted by the memories below
	MemoryIDs []memory.ID       `json:"memory_ids"` // memories this reflection stands for; for decay, those it lowered
	// Merged is of kind merge alone, Forgetting of kind forget.
	Merged     []Merged       `json:"merged,omitempty"`
	Forgetting *ForgettingRun `json:"forgetting,omitempty"`
	Stale      bool           `json:"stale"` // a source has gone or no longer says what was quoted; computed on reading

	Read       int `json:"read,omitempty"`       // memories that were read for what they say
	Statements int `json:"statements,omitempty"` // that they say
	Suspicious int `json:"suspicious,omitempty"` // of the memories read: those that try to command whoever reads them

	Calls     int         `json:"calls"` // of a language model
	TokensIn  int         `json:"tokens_in"`
	TokensOut int         `json:"tokens_out"`
	Cost      budget.Cost `json:"cost"`
	Edition   string      `json:"edition,omitempty"` // of the prompt a language model was asked by: "insight/1"

	Error      string     `json:"error,omitempty"`      // why it failed, waits, or had to do without a language model
	NotBefore  *time.Time `json:"not_before,omitempty"` // until when a queued or parked one waits at least
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`

	Cursor   string `json:"-"` // how far work done in slices has come; "" = from the start
	Attempts int    `json:"-"` // claims since work last got anywhere
}

// Scope returns the partition r lives in.
func (r *Reflection) Scope() memory.Scope {
	return memory.Scope{Tenant: r.TenantID, Project: r.ProjectID}
}

// AsQueued is r as it was when it was queued: what was asked for, and nothing of what came of it.
func (r *Reflection) AsQueued() Reflection {
	return Reflection{
		ID: r.ID, TenantID: r.TenantID, ProjectID: r.ProjectID, Kind: r.Kind, Filters: r.Filters, Since: r.Since, Until: r.Until,
		Status: Queued, Method: Extractive, CreatedAt: r.CreatedAt,
		Degraded: []string{}, Sources: []memory.Citation{}, MemoryIDs: []memory.ID{}, Forgetting: r.Forgetting.asQueued(),
	}
}

// asQueued is the run without what came of it.
func (f *ForgettingRun) asQueued() *ForgettingRun {
	if f == nil {
		return nil
	}
	return &ForgettingRun{By: f.By, Policies: f.Policies, UndoOf: f.UndoOf, Until: f.Until}
}

// Request asks for a reflection. The zero Kind is Insight. Since and Until narrow Filters further.
type Request struct {
	Kind    Kind
	Filters memory.Filter
	Since   *time.Time
	Until   *time.Time
}

// Limits of a request.
const (
	maxFilterValues = 64
	maxFilterBytes  = 256
)

// check names the first field that cannot be worked with.
func (r *Request) check() error {
	if !slices.Contains(Kinds(), r.Kind) {
		return fault.BadField("body.kind", "must be one of insight, consolidate, extract, promote, summarize, merge, decay")
	}
	if r.Since != nil && r.Until != nil && !r.Since.Before(*r.Until) {
		return fault.BadField("body.until", "must be later than since")
	}
	f := &r.Filters
	if len(f.Layers) > maxFilterValues {
		return fault.BadField("body.filters.layers", "has more than %d values", maxFilterValues)
	}
	for i, layer := range f.Layers {
		location := "body.filters.layers[" + strconv.Itoa(i) + "]"
		if !layer.Valid() {
			return fault.BadField(location, "is not a layer")
		}
		if layer == memory.Reflective {
			return fault.BadField(location, "cannot be reflective: reflections are not reflected upon")
		}
	}
	if len(f.Tags) > maxFilterValues {
		return fault.BadField("body.filters.tags", "has more than %d values", maxFilterValues)
	}
	for i, tag := range f.Tags {
		if tag == "" || len(tag) > maxFilterBytes {
			return fault.BadField("body.filters.tags["+strconv.Itoa(i)+"]", "must have 1 to %d bytes", maxFilterBytes)
		}
	}
	if len(f.Metadata) > maxFilterValues {
		return fault.BadField("body.filters.metadata", "has more than %d keys", maxFilterValues)
	}
	for _, field := range []struct{ name, value string }{
		{"user_id", f.UserID}, {"agent_id", f.AgentID}, {"session_id", f.SessionID},
	} {
		if len(field.value) > maxFilterBytes {
			return fault.BadField("body.filters."+field.name, "is longer than %d bytes", maxFilterBytes)
		}
	}
	if !(f.MinImportance >= 0 && f.MinImportance <= 1) { // written so that NaN is refused
		return fault.BadField("body.filters.min_importance", "must be between 0 and 1")
	}
	if !f.Archived.Valid() {
		return fault.BadField("body.filters.archived", "must be include or only, or left out")
	}
	return nil
}

// window is the filter r's work reads through: never the reflective layer, and the narrower of both time windows.
func (r *Reflection) window() memory.Filter {
	f := r.Filters
	if len(f.Layers) == 0 {
		f.Layers = slices.DeleteFunc(memory.Layers(), func(l memory.Layer) bool { return l == memory.Reflective })
	}
	if r.Since != nil && (f.Since == nil || f.Since.Before(*r.Since)) {
		f.Since = r.Since
	}
	if r.Until != nil && (f.Until == nil || r.Until.Before(*f.Until)) {
		f.Until = r.Until
	}
	return f
}
