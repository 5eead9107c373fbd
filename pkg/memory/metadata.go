package memory

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Metadata is the caller's own JSON object. Numbers keep the digits they came with (json.Number), so a 64-bit id
// is not bent by a float on its way through.
type Metadata map[string]any

// UnmarshalJSON keeps numbers as they were written.
func (m *Metadata) UnmarshalJSON(b []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var plain map[string]any
	if err := decoder.Decode(&plain); err != nil {
		return err
	}
	*m = plain
	return nil
}

// MarshalJSON writes keys sorted; nil is the empty object.
func (m Metadata) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]any(m))
}

// SameJSON compares two values as JSON does: 1 and 1.0 are equal, "1" and 1 are not.
func SameJSON(a, b any) bool {
	return bytes.Equal(CanonicalJSON(a), CanonicalJSON(b))
}

// CanonicalJSON renders a JSON value so that equal values give equal bytes: keys sorted, numbers in one form.
func CanonicalJSON(v any) []byte {
	switch v := v.(type) {
	case json.Number:
		if _, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return []byte(v)
		}
		if f, err := v.Float64(); err == nil {
			v = json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
		return []byte(v)
	case []any:
		parts := make([]json.RawMessage, len(v))
		for i := range v {
			parts[i] = CanonicalJSON(v[i])
		}
		b, _ := json.Marshal(parts)
		return b
	case map[string]any:
		parts := make(map[string]json.RawMessage, len(v))
		for k := range v {
			parts[k] = CanonicalJSON(v[k])
		}
		b, _ := json.Marshal(parts)
		return b
	case Metadata:
		return CanonicalJSON(map[string]any(v))
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}
