// Command budget is the budget function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/budget"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("budget", budget.Open) }
