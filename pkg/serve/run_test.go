package serve_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/serve"
)

func TestARequestInFlightSurvivesTheDrain(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var order []string
	h := start(t, local(), &function{
		name: "store",
		routes: route("things", func(ctx context.Context, _ *thing) (*said, error) {
			close(entered)
			<-leave
			order = append(order, "request ended")
			return say("done"), ctx.Err()
		}),
		close: func(context.Context) error {
			order = append(order, "function closed")
			return nil
		},
	})
	type answer struct {
		status int
		body   string
	}
	answered := make(chan answer, 1)
	go func() {
		status, _, body := h.get(t, "/v1/things/1")
		answered <- answer{status, body}
	}()
	within(t, "the request's arrival", entered)
	h.drain()
	for { // the port closes, then nobody new is let in
		connection, err := net.Dial("tcp", h.addr)
		if err != nil {
			break
		}
		_ = connection.Close()
	}
	select {
	case err := <-h.ended:
		t.Fatalf("Run returned %v with a request in flight", err)
	default:
	}
	close(leave)
	if got := within(t, "the answer", answered); got != (answer{http.StatusOK, `{"said":"done"}` + "\n"}) {
		t.Errorf("the request in flight got %+v", got)
	}
	if err := within(t, "the end of Run", h.ended); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if want := []string{"request ended", "function closed"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestWhileItDrainsAServerIsNotReadyButServes(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.DrainDelay = 2 * time.Second
	h := start(t, cfg, things(func(context.Context, *thing) (*said, error) { return say("hi"), nil }))
	if status, _, _ := h.get(t, "/health/ready"); status != http.StatusOK {
		t.Fatalf("ready is %d before the drain", status)
	}
	h.drain()
	for {
		if status, _, _ := h.get(t, "/health/ready"); status == http.StatusServiceUnavailable {
			break
		}
	}
	for path, want := range map[string]int{"/v1/things/1": 200, "/health/live": 200, "/health": 200} {
		if status, _, _ := h.get(t, path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if err := within(t, "the end of Run", h.ended); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestFunctionsAreClosedInReverseHoweverRunEnds(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	var closed []string
	failure := errors.New("flush failed")
	closing := func(name string, err error) *function {
		return &function{name: name, close: func(ctx context.Context) error {
			if ctx.Err() != nil {
				t.Errorf("%s is closed with a context that has ended", name)
			}
			closed = append(closed, name)
			return err
		}}
	}
	cfg := local()
	cfg.Port = taken.Addr().(*net.TCPAddr).Port
	server, _, _ := newServer(t, cfg, closing("store", nil), closing("search", failure))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = server.Run(ctx)
	var network *net.OpError
	if !errors.As(err, &network) || !errors.Is(err, failure) {
		t.Errorf("Run returned %v, want both failures", err)
	}
	if want := []string{"search", "store"}; !slices.Equal(closed, want) {
		t.Errorf("closed %v, want %v", closed, want)
	}
}

func TestWhereAServerListens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		cfg      serve.Config
		loopback bool
		warned   bool
	}{
		{"with credentials, everywhere", serve.Config{Auth: auth.Required, MasterKey: "k"}, false, false},
		{"without, on this machine", serve.Config{Auth: auth.None}, true, false},
		{"without, forced open", serve.Config{Auth: auth.None, Host: "0.0.0.0"}, false, true},
		{"without, on loopback by name", serve.Config{Auth: auth.None, Host: "localhost"}, true, false},
		{"with, on loopback", serve.Config{Auth: auth.Required, MasterKey: "k", Host: "127.0.0.1"}, true, false},
		{"with a secret that can be guessed", serve.Config{Auth: auth.Required, JWTSecret: "secret", Host: "127.0.0.1"}, true, true},
		{"with open events", serve.Config{Auth: auth.Required, EventsAuth: auth.None, MasterKey: "k", Host: "127.0.0.1"}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.LogLevel, c.cfg.RequestTimeout = "info", time.Second
			server, out, _ := newServer(t, c.cfg)
			address, err := server.Listen(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := netip.MustParseAddrPort(address.String()).Addr().Unmap(); got.IsLoopback() != c.loopback || !c.loopback && !got.IsUnspecified() {
				t.Errorf("listens on %s", address)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := server.Run(ctx); err != nil {
				t.Fatal(err)
			}
			started := out.lines(t, "listening")
			if len(started) != 1 || started[0]["address"] != address.String() {
				t.Errorf("the log says %v of %s", started, address)
			}
			var warnings int
			for _, message := range []string{
				"RAE_AUTH=none on a reachable address: anybody who can connect can read and erase every tenant's memories; set RAE_AUTH=required, or unset RAE_HOST",
				"RAE_EVENTS_AUTH=none: anybody who can connect can post events; let the network admit the broker only",
				"RAE_JWT_SECRET is shorter than 32 bytes and can be guessed from one token; use 32 random bytes or more",
			} {
				warnings += len(out.lines(t, message))
			}
			if (warnings == 1) != c.warned {
				t.Errorf("%d warnings:\n%s", warnings, out)
			}
		})
	}
}
