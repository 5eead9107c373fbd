package rae_test

import (
	"go/types"
	"slices"
	"strings"
	"testing"
)

// meters are the llm.Meters there are besides those of suites. One that lets calls through for nothing is one too many.
var meters = []struct{ name, why string }{
	{"pkg/budget.Guard", "it reserves before a call and settles after it"},
	{"pkg/inference.settled", "RAE's own functions ask for the money themselves, in the name of the same payer"},
}

func TestLayersLeaveNoWayToAPaidProviderRoundTheMeter(t *testing.T) {
	t.Parallel()
	var paid, metered []string // adapters that ask providers; types that are meters
	for _, p := range sources(t) {
		if ringOf(p.path) == adapter && slices.Contains(ownImports(p.path, p.Imports), "pkg/provider") {
			paid = append(paid, p.path)
		}
	}
	if len(paid) < 5 {
		t.Errorf("adapters of providers are %q: where are the others?", paid)
	}
	for _, p := range sources(t) {
		for _, to := range ownImports(p.path, p.Imports) {
			if (slices.Contains(paid, to) || to == "pkg/provider" && !slices.Contains(paid, p.path)) && p.path != "pkg/inference" {
				t.Errorf("%s imports %s: inference opens models, behind the meter", p.path, to)
			}
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			outside := strings.Contains(first, ".") && !strings.HasPrefix(imported, module+"/")
			door := slices.Contains([]string{"net", "crypto", "os", "syscall", "plugin", "unsafe"}, first) && imported != "net/url"
			if slices.Contains(paid, p.path) && (outside || door) {
				t.Errorf("%s imports %s: an adapter reaches its provider through pkg/provider and in no other way", p.path, imported)
			}
		}
		if ringOf(p.path) != suite {
			metered = append(metered, p.implementing(module+"/pkg/llm", "Meter")...)
		}
	}
	for _, name := range metered {
		if !slices.ContainsFunc(meters, func(m struct{ name, why string }) bool { return m.name == name }) {
			t.Errorf("%s is a meter: say in metering_test.go what it is good for", name)
		}
	}
	for _, m := range meters {
		if !slices.Contains(metered, m.name) {
			t.Errorf("%s is no meter: take the row out of metering_test.go", m.name)
		}
	}
}

// implementing are the types of a package that implement an interface of another one.
func (p *source) implementing(of, name string) (all []string) {
	for _, imported := range p.types.Imports() {
		if imported.Path() != of {
			continue
		}
		port, ok := imported.Scope().Lookup(name).Type().Underlying().(*types.Interface)
		for _, object := range p.info.Defs {
			named, isType := object.(*types.TypeName)
			if ok && isType && !types.IsInterface(named.Type()) && types.Implements(types.NewPointer(named.Type()), port) {
				all = append(all, p.path+"."+named.Name())
			}
		}
	}
	return all
}
