package memory_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
)

func TestFingerprintsTellPartsApart(t *testing.T) {
	t.Parallel()
	now, later := time.Unix(1, 0), time.Unix(2, 0)
	different := []memory.Memory{
		{Content: "x"}, {Content: "x", UserID: "u"}, {Content: "x", AgentID: "u"}, {Content: "x", SessionID: "u"}, {Content: "x", ExternalID: "u"},
		{Content: "x", OccurredAt: &now}, {Content: "x", OccurredAt: &later}, {Content: "ux"}, {UserID: "u", AgentID: "x"}, {UserID: "ux"},
	}
	seen := map[[32]byte]int{}
	for i := range different {
		f := different[i].Fingerprint()
		if j, ok := seen[f]; ok {
			t.Errorf("%+v and %+v have one fingerprint", different[i], different[j])
		}
		seen[f] = i
	}
	a, b := memory.Memory{Content: "x", Tags: []string{"t"}}, memory.Memory{Content: "x", Layer: memory.Semantic}
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("what dedupe does not compare changes the fingerprint")
	}
}

func TestMetadataKeepsItsDigits(t *testing.T) {
	t.Parallel()
	const in = `{"big":9007199254740993,"deep":[{"n":1.10}],"s":"9"}`
	var m memory.Metadata
	if err := json.Unmarshal([]byte(in), &m); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(m)
	if err != nil || string(out) != in {
		t.Errorf("%s became %s, %v", in, out, err)
	}
}

func TestSameJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`1`, `"1"`, false}, {`1e2`, `100`, true}, {`{"a":1,"b":[2]}`, `{"b":[2.0],"a":1}`, true},
		{`9007199254740993`, `9007199254740992`, false}, {`null`, `false`, false}, {`[1,2]`, `[2,1]`, false},
	} {
		var a, b memory.Metadata
		if err := json.Unmarshal([]byte(`{"v":`+c.a+`}`), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(`{"v":`+c.b+`}`), &b); err != nil {
			t.Fatal(err)
		}
		if got := memory.SameJSON(a["v"], b["v"]); got != c.want {
			t.Errorf("%s and %s: same is %v", c.a, c.b, got)
		}
	}
}

func TestTimesAreHalfOpen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time { return time.Unix(int64(rapid.IntRange(0, 5).Draw(t, name)), 0) }
		from, to, now := at("from"), at("to"), at("now")
		m := memory.Memory{ValidFrom: &from, ValidTo: &to, ExpiresAt: &to}
		if got, want := m.TrueAt(now), now.Unix() >= from.Unix() && now.Unix() < to.Unix(); got != want {
			t.Fatalf("true at: %v, want %v", got, want)
		}
		if got, want := m.Expired(now), now.Unix() >= to.Unix(); got != want {
			t.Fatalf("expired: %v, want %v", got, want)
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	last := memory.NewID()
	for range 10_000 {
		next := memory.NewID()
		if next <= last {
			t.Fatalf("%s after %s", next, last)
		}
		last = next
	}
	if _, ok := memory.ParseID(string(last)); !ok {
		t.Errorf("%s is not read back", last)
	}
	for _, bad := range []string{"", "x", "{" + string(last) + "}", "urn:uuid:" + string(last), string(last) + "0"} {
		if _, ok := memory.ParseID(bad); ok {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}
