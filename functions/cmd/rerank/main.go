// Command rerank is the rerank function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/rerank"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("rerank", rerank.Open) }
