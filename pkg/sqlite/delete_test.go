package sqlite_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// TestASweepForgetsEverythingOldHoweverMuchItIs holds tables to what a busy month writes: a sweep every quarter of an
// hour that forgot a fixed number of rows would fall behind for ever.
func TestASweepForgetsEverythingOldHoweverMuchItIs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db := open(t, sqlite.Options{Clock: func() time.Time { return now }})
	remember := func(n int) {
		t.Helper()
		err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
			for i := range n {
				if err := tx.Answer(t.Context(), memory.Key{Route: "r", Key: fmt.Sprint(now, i)}, []byte("{}")); err != nil {
					return err
				}
				if _, err := tx.Once(t.Context(), "consumer", "source", fmt.Sprint(now, i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	remember(2500)
	now = now.Add(31 * 24 * time.Hour)
	remember(3)
	if _, err := db.Sweep(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var answers, events int
	err := db.WriteSQL(t.Context(), func(tx *sql.Tx) error {
		return tx.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM idempotency_keys),
			(SELECT count(*) FROM consumed_events)`).Scan(&answers, &events)
	})
	if err != nil || answers != 3 || events != 3 {
		t.Errorf("%d answers and %d events remain, %v; want the 3 new ones of each", answers, events, err)
	}
}
