// Command search is the search function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("search", search.Open) }
