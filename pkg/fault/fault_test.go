package fault_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

func TestKindsSurviveTheirNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range fault.Kinds() {
		if got := fault.ParseKind(k.String()); got != k {
			t.Errorf("%d is written %q and read as %d", k, k, got)
		}
		if seen[k.String()] {
			t.Errorf("two kinds are called %q", k)
		}
		seen[k.String()] = true
	}
	if got := fault.ParseKind("no such kind"); got != fault.Internal {
		t.Errorf("an unknown name is %s", got)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"nobody classified it", errors.New("disk on fire"), fault.Internal},
		{"classified", fault.New(fault.NotFound, "no such thing"), fault.NotFound},
		{"classified, then wrapped", fmt.Errorf("read: %w", fault.New(fault.Conflict, "x")), fault.Conflict},
		{"classified twice: the outer word holds", fault.Wrap(fault.Unavailable, fault.New(fault.NotFound, "x"), "y"), fault.Unavailable},
		{"joined", errors.Join(errors.New("x"), fault.New(fault.Denied, "y")), fault.Denied},
		{"deadline", fmt.Errorf("ask: %w", context.DeadlineExceeded), fault.Timeout},
		{"cancelled", context.Canceled, fault.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := fault.KindOf(c.err); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheClientNeverReadsTheCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("password=hunter2 at 10.0.0.7")
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault.Wrap(fault.Unavailable, cause, "the store is away"), "the store is away"},
		{fault.Wrap(fault.Internal, cause, "even this text stays here"), "internal error"},
		{cause, "internal error"},
	} {
		if got := fault.Public(c.err); got != c.want {
			t.Errorf("the client reads %q, want %q", got, c.want)
		}
		if !errors.Is(c.err, cause) {
			t.Errorf("%v lost its cause for the log", c.err)
		}
	}
}

func TestABadFieldIsNamed(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("store: %w", fault.BadField("body.tags[2]", "must not be empty"))
	if got, want := fault.FieldsOf(err), []fault.Field{{Location: "body.tags[2]", Message: "must not be empty"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	if got := fault.KindOf(err); got != fault.Invalid {
		t.Errorf("kind %s", got)
	}
	limited := &fault.Error{Kind: fault.RateLimited, Message: "slow down", RetryAfter: 3 * time.Second}
	if got := fault.RetryAfterOf(fmt.Errorf("x: %w", limited)); got != 3*time.Second {
		t.Errorf("retry after %s", got)
	}
}
