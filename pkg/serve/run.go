package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 120 * time.Second
	shutdownLimit     = 25 * time.Second // for requests in flight, within the 30 s a platform usually grants
	closeLimit        = 4 * time.Second  // for functions to let go of what they hold
)

// Listen opens the port and returns its address. Run does it by itself; call it first to learn the port when Port
// is 0.
func (s *Server) Listen(ctx context.Context) (net.Addr, error) {
	if s.listener == nil {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", s.cfg.address())
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", s.cfg.address(), err)
		}
		s.listener = listener
	}
	return s.listener.Addr(), nil
}

// Run serves until ctx ends and then drains: readiness turns false at once, the port stays open for DrainDelay,
// requests in flight get 25 s, and the functions are closed last. They are closed however Run ends. It returns nil
// when everything ended by itself.
func (s *Server) Run(ctx context.Context) error {
	return errors.Join(s.serve(ctx), s.close(ctx))
}

func (s *Server) serve(ctx context.Context) error {
	address, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	// Requests outlive ctx: it says when to stop taking new ones.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := s.httpServer(requests)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(s.listener) }()

	s.rt.Log.InfoContext(ctx, "listening", "address", address.String(), "version", s.rt.Version, "auth", s.cfg.Auth)
	for _, warning := range s.cfg.warnings() {
		s.rt.Log.WarnContext(ctx, warning)
	}
	select {
	case err := <-stopped:
		return fmt.Errorf("serve %s: %w", address, err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.rt.Log.InfoContext(ctx, "draining", "delay", s.cfg.DrainDelay.String())
	select { // the platform needs a moment to send new requests elsewhere
	case <-time.After(s.cfg.DrainDelay):
	case err := <-stopped:
		return fmt.Errorf("serve %s: %w", address, err)
	}
	limit, done := context.WithTimeout(requests, shutdownLimit)
	defer done()
	if err := server.Shutdown(limit); err != nil {
		cancel() // tell handlers that nobody waits any more
		return errors.Join(fmt.Errorf("drain: requests were cut after %s: %w", shutdownLimit, err), server.Close())
	}
	<-stopped
	return nil
}

func (s *Server) httpServer(requests context.Context) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           s.handler,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.rt.Log.Handler(), slog.LevelDebug),
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		Protocols:         &protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			SendPingTimeout:      30 * time.Second, // a peer that vanished is noticed, streams open or not
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     30 * time.Second,
		},
	}
}

// close closes the functions, last opened first, and reports all that failed.
func (s *Server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	var failed []error
	for i := len(s.functions) - 1; i >= 0; i-- {
		if err := s.functions[i].Close(ctx); err != nil {
			failed = append(failed, fmt.Errorf("close %s: %w", s.functions[i].Name(), err))
		}
	}
	return errors.Join(failed...)
}

// Signals returns a context that ends at the first SIGTERM or SIGINT; a second one ends the process at once, with
// the exit code shells use for it. stop gives the signals their usual meaning back and ends the context.
func Signals(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	// Not signal.NotifyContext: a second signal that comes before it is stopped would be lost.
	signals, stopped := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range 2 {
			select {
			case received := <-signals:
				if ctx.Err() != nil {
					os.Exit(exitCodeOf(received))
				}
				cancel()
			case <-stopped:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(stopped)
		cancel()
	})
}

func exitCodeOf(received os.Signal) int {
	if number, ok := received.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}
