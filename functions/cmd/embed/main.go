// Command embed is the embed function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/embed"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("embed", embed.Open) }
