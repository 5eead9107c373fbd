package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Stores whose programs can be timed.
const (
	embedded   = "sqlite"
	production = "postgres"
)

// options is what the command line says.
type options struct {
	stores []string
	scopes []int // memories in each scope; empty: what each part takes by itself
	quick  bool
	seed   uint64
	json   bool
	strict bool
	report string
}

const about = `Usage: go run ./test/bench [flags]

Times RAE's real programs against named baselines of the same run, and prints a table of ratios: on the embedded store,
and on PostgreSQL with pgvector, Redis and Qdrant. The servers are found or fetched as for tests (CONTRIBUTING.md), and
are gone at the end; RAE_TEST_QDRANT_URL names a real Qdrant, otherwise one in this process stands in for it.

Other work on the machine is in every figure. Subject and baseline are therefore measured in turns, block by block, and
control lines say how much the machine itself changed meanwhile.

`

func parse(args []string) (options, error) {
	o := options{seed: 20261123}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	store := flags.String("store", "all", "what to time: sqlite, postgres or all")
	sizes := flags.String("sizes", "", "memories in each scope, such as 1k,10k,100k (sqlite: 600,10k,100k; postgres: 1k,10k, and 100k takes ten minutes more)")
	flags.BoolVar(&o.quick, "quick", false, "fewer repetitions, smaller scopes: a minute's look at each store")
	flags.Uint64Var(&o.seed, "seed", o.seed, "of the generated text")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of Markdown")
	flags.BoolVar(&o.strict, "strict", false, "end with exit code 1 when a bound is missed; otherwise only a run that fails does")
	flags.StringVar(&o.report, "report", "", "also write the tables into this document, between its marks")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), about)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	switch *store {
	case "all":
		o.stores = []string{embedded, production}
	case embedded, production:
		o.stores = []string{*store}
	default:
		return o, fmt.Errorf("-store %q must be sqlite, postgres or all", *store)
	}
	var err error
	o.scopes, err = parseSizes(*sizes)
	return o, err
}

// parseSizes reads sizes, smallest first: "1k,10k" is 1,000 and 10,000.
func parseSizes(text string) ([]int, error) {
	var sizes []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		digits, thousands := strings.CutSuffix(word, "k")
		n, err := strconv.Atoi(digits)
		if thousands {
			n *= 1000
		}
		if err != nil || n < 100 || n > 10_000_000 {
			return nil, fmt.Errorf("-sizes: %q must be a number from 100 to 10000k", word)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), nil
}
