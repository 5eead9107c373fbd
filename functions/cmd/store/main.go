// Command store is the store function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("store", store.Open) }
