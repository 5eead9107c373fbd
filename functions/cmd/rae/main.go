// Command rae is RAE on one machine: the server of all six functions, and a command line over the same engine.
package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/rae-memory/rae/pkg/serve"
)

// startup is how long a start may take before the collector is wanted.
const startup = 50 * time.Millisecond

func main() {
	// A start makes a few megabytes of what stays (routes, schemas); collecting meanwhile would find nothing, and take
	// a quarter of the time to the first answer.
	percent := debug.SetGCPercent(-1)
	time.AfterFunc(startup, func() { debug.SetGCPercent(percent) })

	ctx, stop := serve.Signals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}
