// Command rae is RAE on one machine: the server of all six functions, and a command line over the same engine.
package main

import (
	"context"
	"os"

	"github.com/rae-memory/rae/pkg/serve"
)

func main() {
	ctx, stop := serve.Signals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}
