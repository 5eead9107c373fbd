// Command reflect is the reflect function as a program of its own.
package main

import (
	"github.com/rae-memory/rae/functions/reflect"
	"github.com/rae-memory/rae/pkg/serve"
)

func main() { serve.Main("reflect", reflect.Open) }
