package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/rae-memory/rae/pkg/telemetry"
)

// Main is the whole program of one function: settings from the environment, logs to stderr, and an exit code: 0 after a
// drain, 2 for a setting that cannot be used, 1 for everything else.
func Main(name string, open Open) {
	ctx, stop := Signals(context.Background())
	err := Start(ctx, name, open, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	os.Exit(ExitCode(err))
}

// Start opens the function and serves it until ctx ends.
func Start(ctx context.Context, name string, open Open, logs io.Writer) error {
	cfg := Defaults()
	if err := Load(&cfg); err != nil {
		return err
	}
	rt, err := NewRuntime(&cfg, logs, slog.String("service", name))
	if err != nil {
		return err
	}
	function, err := open(ctx, rt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	server, err := New(cfg, rt, function)
	if err != nil {
		return errors.Join(err, function.Close(ctx))
	}
	return server.Run(ctx)
}

// NewRuntime makes what a host gives to Open: a logger to logs at the configured level, a registry of its own, the
// version.
func NewRuntime(cfg *Config, logs io.Writer, attrs ...slog.Attr) (Runtime, error) {
	level, err := telemetry.ParseLevel(cfg.LogLevel)
	if err != nil {
		return Runtime{}, err
	}
	return Runtime{
		Log:     telemetry.NewLogger(logs, level, attrs...),
		Metrics: telemetry.NewRegistry(),
		Version: Version(),
	}, nil
}

// ExitCode is what a program should exit with after err: 0, 2 for a setting that cannot be used, else 1.
func ExitCode(err error) int {
	var setting *ConfigError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &setting):
		return 2
	}
	return 1
}
