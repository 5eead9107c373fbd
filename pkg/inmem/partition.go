package inmem

import "github.com/rae-memory/rae/pkg/memory"

// partition is everything one scope holds.
type partition struct {
	head memory.Seq
}
