// Command fit learns the weights of the last look (pkg/search/features.go) from folders with relevance labels, and
// prints them as Go, with what they give on what they were learned from and on the rest.
//
// Of every set with several haystacks, such as conversations, the first, third, fifth … are learned from and the others
// are reported; a set with one haystack is reported only. The same sets give the same weights on every machine: the order
// is fixed, nothing is drawn at random, and one thread does it all.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/rae-memory/rae/pkg/eval"
)

func main() {
	dir := flag.String("sets", "", "folder of sets (corpus.jsonl, queries.jsonl, qrels.tsv)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *dir)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	dirs, err := eval.Find(dir)
	if err != nil {
		return err
	}
	var all []*collection
	var lessons []lesson
	for _, dir := range dirs {
		c, err := read(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		all = append(all, c)
		some := c.lessons()
		fmt.Fprintf(os.Stderr, "%s: %d questions, %d to learn from\n", dir, len(c.questions), len(some))
		lessons = append(lessons, some...)
	}
	if len(lessons) == 0 {
		return fmt.Errorf("no set in %s has several haystacks", dir)
	}
	learned := learn(lessons)
	fmt.Println(learned)
	for _, c := range all {
		c.report("as the program ranks", nil)
		c.report("as learned", learned)
	}
	return nil
}
