package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rae-memory/rae/pkg/memory"
)

// selection is which memories a command is about, as flags say it.
type selection struct {
	layers, tags, metadata []string
	user, agent, session   string
	since, until           string
	asOf, knownAt          string
	minImportance          float64
	archived               string
}

func (s *selection) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.layers, "layer", nil, "only these layers: "+strings.Join(layerNames(), ", "))
	f.StringSliceVar(&s.tags, "tag", nil, "only memories with all of these tags")
	f.StringArrayVar(&s.metadata, "meta", nil, "only memories whose metadata has key=value (text), repeatable")
	f.StringVar(&s.user, "user", "", "only this user's memories")
	f.StringVar(&s.agent, "agent", "", "only this agent's memories")
	f.StringVar(&s.session, "session", "", "only this session's memories")
	f.StringVar(&s.since, "since", "", "only what happened at or after this time, as 2026-03-01 or 2026-03-01T09:30:00Z")
	f.StringVar(&s.until, "until", "", "only what happened before this time")
	f.Float64Var(&s.minImportance, "min-importance", 0, "only memories of at least this importance, 0 to 1")
	f.StringVar(&s.archived, "archived", "", "archived memories, too (include), or only those (only)")
	f.StringVar(&s.asOf, "as-of", "", "only what was true in the world at this time")
	f.StringVar(&s.knownAt, "known-at", "", "what RAE knew at this time")
}

func layerNames() []string {
	var names []string
	for _, l := range memory.Layers() {
		names = append(names, string(l))
	}
	return names
}

// read checks the flags.
func (s *selection) read() (memory.Filter, memory.View, error) {
	f := memory.Filter{Tags: s.tags, UserID: s.user, AgentID: s.agent, SessionID: s.session, MinImportance: s.minImportance}
	var view memory.View
	if f.Archived = memory.Archived(s.archived); !f.Archived.Valid() {
		return f, view, usagef("--archived %q must be include or only", s.archived)
	}
	for _, name := range s.layers {
		layer := memory.Layer(name)
		if !slices.Contains(memory.Layers(), layer) {
			return f, view, usagef("--layer %q must be one of %s", name, strings.Join(layerNames(), ", "))
		}
		f.Layers = append(f.Layers, layer)
	}
	for _, pair := range s.metadata {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return f, view, usagef("--meta %q must be key=value", pair)
		}
		if f.Metadata == nil {
			f.Metadata = memory.Metadata{}
		}
		f.Metadata[key] = value
	}
	if !(s.minImportance >= 0 && s.minImportance <= 1) { // so that NaN is refused too
		return f, view, usagef("--min-importance %v must be 0 to 1", s.minImportance)
	}
	for _, t := range []struct {
		flag, text string
		into       **time.Time
	}{
		{"since", s.since, &f.Since}, {"until", s.until, &f.Until},
		{"as-of", s.asOf, &view.AsOf}, {"known-at", s.knownAt, &view.KnownAt},
	} {
		at, err := parseTime(t.flag, t.text)
		if err != nil {
			return f, view, err
		}
		*t.into = at
	}
	return f, view, nil
}

// parseTime reads the time a flag gives, nil when it gives none. A bare date is its first moment in UTC.
func parseTime(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC()
			return &at, nil
		}
	}
	return nil, usagef("--%s %q must be a date such as 2026-03-01 or a time such as 2026-03-01T09:30:00Z", flag, text)
}
