package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
)

// program is one run of the command line: what it reads and writes, and the flags every command takes.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	lookup func(string) (string, bool) // the environment

	data, tenant, project string
	json, quiet           bool

	parsed bool // the command line was understood; what fails from here on is not its fault
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, lookup: lookup}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "rae: %s\n", told(err, command))
	}
	return p.exitCode(ctx, err)
}

// Exit codes. The help of the root command documents them.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitOverBudget  = 4
	exitFell        = 5
	exitInterrupted = 130
)

func (p *program) exitCode(ctx context.Context, err error) int {
	var setting *serve.ConfigError
	var usage *usageError
	var fell *fellError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &setting), errors.As(err, &usage), !p.parsed:
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &fell):
		return exitFell
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Malformed, fault.TooLarge, fault.Unsupported:
		return exitUsage
	case fault.NotFound:
		return exitNotFound
	case fault.OverBudget:
		return exitOverBudget
	}
	return exitFailed
}

// told is an error as one line for the person at the terminal. It is their own machine, so the cause is told too.
// Fields are named as the flags they were given with.
func told(err error, command *cobra.Command) string {
	text := err.Error()
	if fields := fault.FieldsOf(err); len(fields) > 0 {
		var parts []string
		for _, f := range fields {
			parts = append(parts, flagOf(f.Location, command)+" "+f.Message)
		}
		text = strings.Join(parts, "; ")
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok { // it repeats the value, after the name of a Go function
		text = strings.Replace(text, number.Error(), number.Err.Error(), 1)
	}
	if what, suggestions, ok := strings.Cut(text, "\n\nDid you mean this?\n\t"); ok {
		text = what + "; did you mean " + strings.Join(strings.Fields(suggestions), " or ") + "?"
	}
	return printable(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// flagOf returns the command's flag for a field of the API, such as --daily for body.daily_limit, or the field where
// there is none.
func flagOf(location string, command *cobra.Command) string {
	name := strings.ReplaceAll(location[strings.LastIndexByte(location, '.')+1:], "_", "-")
	name, _, _ = strings.Cut(name, "[")
	for _, flag := range []string{
		name, strings.TrimSuffix(name, "-limit"), strings.Replace(name, "-token-limit", "-tokens", 1), strings.TrimSuffix(name, "-seconds"),
		strings.TrimSuffix(name, "s"), strings.TrimSuffix(name, "-id"),
	} {
		if command.Flags().Lookup(flag) != nil {
			return "--" + flag
		}
	}
	return location
}

// usageError is a command line that cannot be meant.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// needs takes between least and most arguments (most < 0: any number), and says of which there are too few or too many.
func needs(what string, least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s is missing", what)
		case most >= 0 && len(args) > most:
			return usagef("unexpected argument %q after %s", args[most], what)
		}
		return nil
	}
}

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rae",
		Short: "Memory for AI agents",
		Long: `rae keeps what AI agents saw, did and learned, and finds the few memories that matter.

It serves the API from one process with an embedded store, and works on the same store from the command line. Both
may run at once.

Exit codes: 0 done, 1 failed, 2 wrong usage, setting or input, 3 not found, 4 refused by the budget, 5 a figure
fell (eval), 130 interrupted.

` + environment(),
		Example: `  rae serve
  rae import conversation.jsonl
  rae search "When did Caroline go to the support group?"`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			p.parsed = true
			return p.checkScope()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&p.data, "data", "", "folder of the embedded store (default: RAE_DATA_DIR, else ./data)")
	flags.StringVar(&p.tenant, "tenant", p.or("RAE_TENANT", "default"), "tenant to act for")
	flags.StringVar(&p.project, "project", p.or("RAE_PROJECT", "default"), "project within the tenant")
	flags.BoolVar(&p.json, "json", false, "print JSON for programs instead of text for people")
	flags.BoolVar(&p.quiet, "quiet", false, "show no progress and no hints")
	root.AddCommand(p.serve(), p.importing(), p.exporting(), p.search(), p.context(), p.blocks(), p.eval(), p.budget(), p.costs(), p.prices(), p.reembed(), p.forget(), p.backup(), p.restore(), p.migrate(), p.reindex(), p.verify(), p.version())
	return root
}

// environment is the part of a help text that lists the variables a command reads; more are those of its own.
func environment(more ...string) string {
	text := `Environment:
  RAE_DATA_DIR    folder of the embedded store (./data)
  RAE_STORE       sqlite, postgres, or inmem to keep nothing (sqlite)
  RAE_POSTGRES_URL  where RAE_STORE is postgres: postgres://user:password@host:port/database
  RAE_TENANT      tenant where --tenant is not given (default)
  RAE_PROJECT     project where --project is not given (default)
  RAE_LOG_LEVEL   debug, info, warn or error
  NO_COLOR        set: no colours, on a terminal either`
	for _, line := range more {
		text += "\n  " + line
	}
	return text
}

// or returns what the environment says, or the fallback.
func (p *program) or(name, fallback string) string {
	if value, ok := p.lookup(name); ok && value != "" {
		return value
	}
	return fallback
}

func (p *program) scope() memory.Scope {
	return memory.Scope{Tenant: p.tenant, Project: p.project}
}

func (p *program) checkScope() error {
	if !isName(p.tenant) {
		return usagef("--tenant %q must be 1 to 64 letters, digits, dots, dashes or underscores and begin with a letter or digit", p.tenant)
	}
	if !isName(p.project) {
		return usagef("--project %q must be 1 to 64 letters, digits, dots, dashes or underscores and begin with a letter or digit", p.project)
	}
	return nil
}

// isName reports whether the API would take the name of a tenant or project.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// settings reads the environment and puts the flags over it.
func (p *program) settings() (rae.Config, error) {
	cfg, err := rae.Load()
	if err == nil && p.data != "" {
		cfg.Store.DataDir = p.data
	}
	return cfg, err
}

// runtime is what an engine gets that only works for this command: it tells of trouble, not of every step.
func (p *program) runtime() (serve.Runtime, error) {
	host := serve.LocalDefaults()
	if err := serve.Load(&host); err != nil {
		return serve.Runtime{}, err
	}
	if _, said := p.lookup("RAE_LOG_LEVEL"); !said {
		host.LogLevel = "warn"
	}
	return serve.NewRuntime(&host, p.stderr, slog.String("service", "rae"))
}

// with opens the engine, does the work and closes it.
func (p *program) with(ctx context.Context, do func(*rae.Engine) error) error {
	cfg, err := p.settings()
	if err != nil {
		return err
	}
	return p.withConfig(ctx, cfg, do)
}

func (p *program) withConfig(ctx context.Context, cfg rae.Config, do func(*rae.Engine) error) error {
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	engine, err := rae.Open(cfg, rt)
	if err != nil {
		return err
	}
	err = do(engine)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	return errors.Join(err, engine.Close(limit))
}
