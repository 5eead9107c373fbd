package backup_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// older is an archive as the first version wrote it: the log of costs had sixteen columns then.
func older(columns string) *bytes.Reader {
	const (
		scope = `["default",0,0]` + "\n"
		cost  = `["default","01968f3e-0000-7000-8000-000000000001","chat","openai","gpt-4o",10,5,0,2500000000,false,true,0,false,"2026-11-23",1763899200000000]` + "\n"
	)
	rows := sha256.Sum256([]byte("scopes\n" + scope + "cost_logs\n" + cost))
	var text strings.Builder
	text.WriteString(`{"rae_backup":1,"program":"1.0.0","created_at":"2026-11-23T12:00:00Z","store":"sqlite","source":"here"}` + "\n")
	text.WriteString(`{"begin":"acme","at":"2026-11-23T12:00:00Z"}` + "\n")
	text.WriteString(`{"table":"scopes","columns":["project","head","floor"]}` + "\n" + scope)
	text.WriteString(`{"table":"cost_logs","columns":[` + columns + `]}` + "\n" + cost)
	fmt.Fprintf(&text, `{"end":"acme","rows":{"cost_logs":1,"scopes":1},"erased":0,"sha256":"%s"}`+"\n", hex.EncodeToString(rows[:]))
	all := sha256.Sum256([]byte(text.String()))
	fmt.Fprintf(&text, `{"tenants":1,"total":2,"sha256":"%s"}`+"\n", hex.EncodeToString(all[:]))
	return zipped([]byte(text.String())).(*bytes.Reader)
}

func TestAnArchiveOfAnOlderVersionIsRestored(t *testing.T) {
	t.Parallel()
	const then = `"project","reservation_id","operation","provider","model","tokens_in","tokens_out","cached_tokens","cost","priced","price_known","overrun","late","day","settled_at"`
	into := open(t)
	restorer := backup.Restorer{Into: into}
	for _, stood := range []bool{false, true} { // again, it is recognised
		done, err := restorer.Restore(t.Context(), older(then), "")
		if err != nil || len(done) != 1 || done[0].Stood != stood {
			t.Fatal(done, err)
		}
	}
	replacing := backup.Restorer{Into: into, Replace: true} // compares what stands with what the archive tells
	if done, err := replacing.Restore(t.Context(), older(then), ""); err != nil || len(done) != 1 || !done[0].Stood {
		t.Errorf("what stands is taken for something else: %v %v", done, err)
	}
	page, err := sqlite.NewLedger(into, budget.Policy{}).Calls(t.Context(), memory.Scope{Tenant: "acme", Project: "default"}, budget.CallQuery{})
	if err != nil || len(page.Calls) != 1 {
		t.Fatal(page, err)
	}
	want := budget.Line{
		ID: "01968f3e-0000-7000-8000-000000000001", ReservationID: "01968f3e-0000-7000-8000-000000000001", At: page.Calls[0].At,
		Operation: "chat", Provider: "openai", Model: "gpt-4o", Calls: 1, TokensIn: 10, TokensOut: 5, Cost: 5 * budget.USD / 2, PriceKnown: true,
	}
	if !reflect.DeepEqual(page.Calls[0], want) {
		t.Errorf("got %+v, want %+v", page.Calls[0], want)
	}
	_, err = restorer.Restore(t.Context(), older(strings.Replace(then, `,"settled_at"`, "", 1)), "") // which it always had
	if fault.KindOf(err) != fault.Unsupported {
		t.Errorf("without a column of old: %v", err)
	}
}
