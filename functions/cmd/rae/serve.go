package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/serve"
)

// closeLimit is what the engine gets to let go of what it holds: requests in flight have had 25 s of the 30 s a
// platform usually grants.
const closeLimit = 4 * time.Second

// relayAfter is when the relay and the clock begin.
const relayAfter = 50 * time.Millisecond

func (p *program) serve() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the whole API from this process",
		Long: `serve runs the six functions (store, search, embed, rerank, reflect, budget) behind one port, with events relayed
between them and the clock kept. It listens on this machine only and asks for no credentials, unless told otherwise.
The first interrupt ends it gracefully, the second at once. Logs go to stderr.

` + environment(
			"PORT            port, 0 for any free one (8080)",
			"RAE_HOST        address to listen on (127.0.0.1)",
			"RAE_AUTH        none or required (none)",
			"RAE_JWT_SECRET, RAE_MASTER_KEY                    what credentials are checked with",
			"RAE_REQUEST_TIMEOUT, RAE_STREAM_TIMEOUT, RAE_DRAIN_DELAY   durations (30s, 30s, 0s)",
			"DEFAULT_DAILY_LIMIT, DEFAULT_MONTHLY_LIMIT        budget of who set none, in USD (10.00, 100.00)"),
		Example: `  rae serve
  rae serve --addr 127.0.0.1:9000 --data /var/lib/rae
  PORT=0 rae serve`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.host(c.Context(), addr) },
	}
	c.Flags().StringVar(&addr, "addr", "", "host:port to listen on, over RAE_HOST and PORT")
	return c
}

// host serves until ctx ends: then requests in flight end, then the relay and the clock, then the store is closed.
func (p *program) host(ctx context.Context, addr string) error {
	host := serve.LocalDefaults()
	if err := serve.Load(&host); err != nil {
		return err
	}
	if err := listenOn(&host, addr); err != nil {
		return err
	}
	cfg, err := p.settings()
	if err != nil {
		return err
	}
	if cfg.Store.Store == database.SQLite {
		if err := writable(cfg.Store.DataDir); err != nil {
			return err
		}
	}
	rt, err := serve.NewRuntime(&host, p.stderr, slog.String("service", "rae"))
	if err != nil {
		return err
	}
	engine, err := rae.Open(cfg, rt)
	if err != nil {
		return err
	}
	server, err := engine.Serve(host)
	if err != nil {
		return errors.Join(err, closeEngine(ctx, engine))
	}
	address, err := server.Listen(ctx)
	if err != nil {
		return errors.Join(refusedPort(err, &host), closeEngine(ctx, engine))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select { // the first answer goes first: what waits in the outbox has waited since the last run
		case <-time.After(relayAfter):
		case <-running.Done():
		}
		engine.Run(running)
	}()
	if !p.quiet {
		p.welcome(address.String(), &host, &cfg)
	}
	err = server.Run(ctx)
	stop()
	<-ended
	return errors.Join(err, closeEngine(ctx, engine))
}

func closeEngine(ctx context.Context, engine *rae.Engine) error {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	return engine.Close(limit)
}

// listenOn puts --addr over the environment.
func listenOn(host *serve.Config, addr string) error {
	if addr == "" {
		return nil
	}
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("--addr %q must be host:port, such as 127.0.0.1:8080", addr)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return usagef("--addr %q must end in a port, 0 to 65535", addr)
	}
	if name == "" {
		name = "0.0.0.0" // as everywhere: ":8080" is all interfaces; the server warns when it asks for no credentials
	}
	host.Host, host.Port = name, int(number)
	return host.Check()
}

// writable fails where no store could be kept, in words of the setting. The store itself is opened when first used.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return unusable(dir, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func unusable(dir string, err error) error {
	allowed := "a folder this program may write to"
	var cause *fs.PathError
	if errors.As(err, &cause) {
		allowed += " (" + cause.Err.Error() + ")"
	}
	return &serve.ConfigError{Name: "RAE_DATA_DIR", Value: dir, Allowed: allowed}
}

// refusedPort says what to do about the one failure everybody meets.
func refusedPort(err error, host *serve.Config) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is in use: stop what listens there, or choose another with --addr or PORT (0 for any free one)", host.Port)
	}
	return err
}

// welcome says what to try next.
func (p *program) welcome(address string, host *serve.Config, cfg *rae.Config) {
	name, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(name); err == nil && ip != nil && ip.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	url, credentials := "http://"+address, ""
	if host.Auth == "required" {
		credentials = " -H 'Authorization: Bearer …'"
	}
	kept := "memories are kept in " + cfg.Store.DataDir
	switch cfg.Store.Store {
	case database.InMem:
		kept = "memories are kept until this process ends"
	case database.Postgres:
		kept = "memories are kept in PostgreSQL"
	}
	const header = " -H 'X-Tenant-ID: demo' -H 'Content-Type: application/json'"
	fmt.Fprintf(p.stdout, `RAE listens on %[1]s; %[2]s. Try:

  curl%[3]s%[4]s %[1]s/v1/memories -d '{"content":"Alice prefers window seats on long flights."}'
  curl%[3]s%[4]s %[1]s/v1/search -d '{"query":"Which seat does Alice like?"}'
  curl%[3]s%[4]s %[1]s/v1/context -d '{"query":"Book a flight for Alice","max_tokens":200}'

  API     %[1]s/docs
  health  %[1]s/health

`, url, kept, credentials, header)
}
