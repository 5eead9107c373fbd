package qdranttest

import (
	"slices"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
)

// filter returns what a filter lets pass: every must, no must_not, and, where there are any, one should.
func filter(f *api.Filter) (func(*point) bool, error) {
	if f == nil {
		return func(*point) bool { return true }, nil
	}
	if f.GetMinShould() != nil {
		return nil, unknown("min_should")
	}
	must, err := conditions(f.GetMust())
	if err != nil {
		return nil, err
	}
	mustNot, err := conditions(f.GetMustNot())
	if err != nil {
		return nil, err
	}
	should, err := conditions(f.GetShould())
	if err != nil {
		return nil, err
	}
	return func(p *point) bool {
		holds := func(c func(*point) bool) bool { return c(p) }
		fails := func(c func(*point) bool) bool { return !c(p) }
		return !slices.ContainsFunc(must, fails) && !slices.ContainsFunc(mustNot, holds) && (len(should) == 0 || slices.ContainsFunc(should, holds))
	}, nil
}

func conditions(list []*api.Condition) ([]func(*point) bool, error) {
	var all []func(*point) bool
	for _, c := range list {
		holds, err := condition(c)
		if err != nil {
			return nil, err
		}
		all = append(all, holds)
	}
	return all, nil
}

func condition(c *api.Condition) (func(*point) bool, error) {
	switch one := c.GetConditionOneOf().(type) {
	case *api.Condition_Field:
		return field(one.Field)
	case *api.Condition_Filter:
		return filter(one.Filter)
	case *api.Condition_HasId:
		var ids []string
		for _, id := range one.HasId.GetHasId() {
			parsed, err := uuid.Parse(id.GetUuid())
			if err != nil {
				return nil, invalid("Unable to parse UUID: %s", id.GetUuid())
			}
			ids = append(ids, parsed.String())
		}
		return func(p *point) bool { return slices.Contains(ids, p.id) }, nil
	case *api.Condition_IsEmpty:
		return func(p *point) bool { return len(values(p.payload[one.IsEmpty.GetKey()])) == 0 }, nil
	}
	return nil, unknown("this condition: " + c.String())
}

// field is a condition on one payload field. A list satisfies it when one of its values does.
func field(f *api.FieldCondition) (func(*point) bool, error) {
	holds, err := value(f)
	if err != nil {
		return nil, err
	}
	return func(p *point) bool { return slices.ContainsFunc(values(p.payload[f.GetKey()]), holds) }, nil
}

func value(f *api.FieldCondition) (func(*api.Value) bool, error) {
	switch {
	case f.GetRange() != nil && f.GetMatch() == nil:
		r := f.GetRange()
		return func(v *api.Value) bool {
			n, ok := number(v)
			return ok && (r.Lt == nil || n < *r.Lt) && (r.Gt == nil || n > *r.Gt) && (r.Lte == nil || n <= *r.Lte) && (r.Gte == nil || n >= *r.Gte)
		}, nil
	case f.GetMatch() != nil && f.GetRange() == nil:
		switch m := f.GetMatch().GetMatchValue().(type) {
		case *api.Match_Keyword:
			return func(v *api.Value) bool { s, ok := text(v); return ok && s == m.Keyword }, nil
		case *api.Match_Keywords:
			return func(v *api.Value) bool {
				s, ok := text(v)
				return ok && slices.Contains(m.Keywords.GetStrings(), s)
			}, nil
		case *api.Match_ExceptKeywords:
			return func(v *api.Value) bool {
				s, ok := text(v)
				return ok && !slices.Contains(m.ExceptKeywords.GetStrings(), s)
			}, nil
		case *api.Match_Integer:
			return func(v *api.Value) bool {
				n, ok := v.GetKind().(*api.Value_IntegerValue)
				return ok && n.IntegerValue == m.Integer
			}, nil
		}
	}
	return nil, unknown("this condition: " + f.String())
}

func text(v *api.Value) (string, bool) {
	s, ok := v.GetKind().(*api.Value_StringValue)
	if !ok {
		return "", false
	}
	return s.StringValue, true
}

func number(v *api.Value) (float64, bool) {
	switch n := v.GetKind().(type) {
	case *api.Value_IntegerValue:
		return float64(n.IntegerValue), true
	case *api.Value_DoubleValue:
		return n.DoubleValue, true
	}
	return 0, false
}

// values are what a field holds: the items of a list, else itself.
func values(v *api.Value) []*api.Value {
	switch k := v.GetKind().(type) {
	case nil, *api.Value_NullValue:
		return nil
	case *api.Value_ListValue:
		return k.ListValue.GetValues()
	}
	return []*api.Value{v}
}
