package tokens

// Cuts are what the tests of this package hold to the published patterns.
var Cuts = map[string]func(string) int{"cl100k": cutCL100K, "o200k": cutO200K}
