package learn

import (
	_ "embed"
	"strings"
)

// regions are countries, continents and the larger parts of countries, one a line and as relevance.EntityKey has them: of two
// places of which one is such, nobody can tell by their names whether the other lies in it.
//
//go:embed regions.txt
var regions string

func isRegion(name []string) bool {
	return strings.Contains("\n"+regions, "\n"+strings.Join(name, " ")+"\n")
}
