package reflection

import (
	"slices"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Mode is what forgetting does with the memories of a layer.
type Mode string

const (
	Off     Mode = "off"     // nothing
	Archive Mode = "archive" // they stand, and who does not ask for what is archived does not find them
	Delete  Mode = "delete"  // they are archived, and deleted when the grace period has passed
)

// Policy is how one layer of a project fades and what is forgotten of it. A memory is forgotten when every condition that
// is given holds.
type Policy struct {
	Layer memory.Layer `json:"layer" enum:"sensory,episodic,working,semantic,longterm,reflective" doc:"Whose memories."`
	Mode  Mode         `json:"mode,omitempty" enum:"off,archive,delete" default:"off" doc:"What becomes of what is forgotten: nothing, it is archived, or it is archived and then deleted."`

	AfterDays          int      `json:"after_days,omitempty" minimum:"0" maximum:"36500" doc:"Days since somebody last told it; at least 1 unless the mode is off."`
	BelowImportance    *float64 `json:"below_importance,omitempty" minimum:"0" maximum:"1" doc:"Only what has come to less than this importance."`
	KeepTags           []string `json:"keep_tags,omitempty" maxItems:"64" doc:"What has one of these tags stays."`
	KeepUsedWithinDays int      `json:"keep_used_within_days,omitempty" minimum:"0" maximum:"36500" doc:"What an answer held in so many days, or somebody called helpful, stays."`

	HalfLifeDays *float64 `json:"half_life_days,omitempty" minimum:"0" maximum:"36500" doc:"Days in which what its importance has above the floor halves; 0: it never fades. Left out: the layer's own."`
	Floor        *float64 `json:"floor,omitempty" minimum:"0" maximum:"1" doc:"The importance it does not fade below. Left out: 0.05."`
}

// Policies is how a project forgets. The zero value forgets nothing.
type Policies struct {
	Policies  []Policy   `json:"policies" maxItems:"6" doc:"One of each layer; a layer without one is not forgotten."`
	GraceDays int        `json:"grace_days,omitempty" minimum:"0" maximum:"365" default:"30" doc:"Days for which what a policy deletes is archived first, and can be brought back."`
	MaxPerRun int        `json:"max_per_run,omitempty" minimum:"0" maximum:"100000" default:"10000" doc:"How many memories one run forgets at most."`
	UpdatedAt *time.Time `json:"updated_at,omitempty" readOnly:"true"`
	UpdatedBy string     `json:"updated_by,omitempty" readOnly:"true"`
}

const (
	graceDays  = 30
	maxPerRun  = 10_000
	most       = 100_000 // max_per_run
	mostDays   = 36_500
	mostGrace  = 365
	keptTags   = 64
	decayFloor = 0.05
	oneDay     = 24 * time.Hour
)

// checked returns p as it is kept, or the first field that cannot be meant.
func (p Policies) checked() (Policies, error) {
	const at = "body.policies"
	if len(p.Policies) > len(memory.Layers()) {
		return p, fault.BadField(at, "must be at most one of each layer")
	}
	within := func(value, most int, field string) error {
		if value < 0 || value > most {
			return fault.BadField(field, "must be between 0 and %d", most)
		}
		return nil
	}
	share := func(value *float64, most float64, field string) error {
		if value != nil && !(*value >= 0 && *value <= most) { // written so that NaN is refused
			return fault.BadField(field, "must be between 0 and %g", most)
		}
		return nil
	}
	seen := map[memory.Layer]bool{}
	p.Policies = slices.Clone(p.Policies)
	for i := range p.Policies {
		one, here := &p.Policies[i], at+"["+strconv.Itoa(i)+"]."
		if one.Mode == "" {
			one.Mode = Off
		}
		switch {
		case !one.Layer.Valid():
			return p, fault.BadField(here+"layer", "is not a layer")
		case seen[one.Layer]:
			return p, fault.BadField(here+"layer", "has a policy already")
		case one.Mode != Off && one.Mode != Archive && one.Mode != Delete:
			return p, fault.BadField(here+"mode", "must be one of off, archive, delete")
		case one.Mode != Off && one.AfterDays < 1:
			return p, fault.BadField(here+"after_days", "must be at least 1")
		case len(one.KeepTags) > keptTags:
			return p, fault.BadField(here+"keep_tags", "has more than %d values", keptTags)
		}
		seen[one.Layer] = true
		for j, tag := range one.KeepTags {
			if tag == "" || len(tag) > maxFilterBytes {
				return p, fault.BadField(here+"keep_tags["+strconv.Itoa(j)+"]", "must have 1 to %d bytes", maxFilterBytes)
			}
		}
		for _, err := range []error{
			within(one.AfterDays, mostDays, here+"after_days"),
			within(one.KeepUsedWithinDays, mostDays, here+"keep_used_within_days"),
			share(one.BelowImportance, 1, here+"below_importance"),
			share(one.HalfLifeDays, mostDays, here+"half_life_days"),
			share(one.Floor, 1, here+"floor"),
		} {
			if err != nil {
				return p, err
			}
		}
	}
	if err := within(p.GraceDays, mostGrace, "body.grace_days"); err != nil {
		return p, err
	}
	return p.filled(), within(p.MaxPerRun, most, "body.max_per_run")
}

// filled is p with what is not said as it is without it.
func (p Policies) filled() Policies {
	if p.Policies == nil {
		p.Policies = []Policy{}
	}
	if p.GraceDays == 0 {
		p.GraceDays = graceDays
	}
	if p.MaxPerRun == 0 {
		p.MaxPerRun = maxPerRun
	}
	return p
}

// of is the policy of a layer.
func (p *Policies) of(l memory.Layer) *Policy {
	for i := range p.Policies {
		if p.Policies[i].Layer == l {
			return &p.Policies[i]
		}
	}
	return &Policy{Layer: l, Mode: Off}
}

// layers are those of which anything is forgotten in one of the modes.
func (p *Policies) layers(modes ...Mode) []memory.Layer {
	var layers []memory.Layer
	for i := range p.Policies {
		if slices.Contains(modes, p.Policies[i].Mode) {
			layers = append(layers, p.Policies[i].Layer)
		}
	}
	return layers
}

// grace is how long what is to be deleted can be brought back.
func (p *Policies) grace() time.Duration { return time.Duration(p.GraceDays) * oneDay }

// fading is how the importance of a layer's memories fades: what lies above the floor halves in every half-life, counted
// from the end of a first one in which nothing fades. A half-life of 0 is never.
type fading struct {
	half  time.Duration
	floor float64
}

// fading is the policy's, and the layer's own where it says nothing.
func (p *Policy) fading() fading {
	f := fading{halfLife(p.Layer), decayFloor}
	if p.HalfLifeDays != nil {
		f.half = time.Duration(*p.HalfLifeDays * float64(oneDay))
	}
	if p.Floor != nil {
		f.floor = *p.Floor
	}
	return f
}
