package telemetry

import (
	"fmt"
	"log/slog"
)

const redacted = "***"

// Secret is a string that prints as ***, whatever prints it: fmt with any verb, slog, JSON, text. Only Reveal and a
// conversion to string give the value, so a search for either finds every place that uses it.
type Secret string

// Reveal returns the value, for the one call that needs it.
func (s Secret) Reveal() string { return string(s) }

// Empty reports whether no secret is set.
func (s Secret) Empty() bool { return s == "" }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints *** for every verb, %x and %q included, which would otherwise reach past String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }
