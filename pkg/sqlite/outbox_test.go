package sqlite_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/sqlite"
)

// TestARelayReadsNothingThatIsNotDue asks the planner: with a hundred thousand records waiting for their next try, a
// query that scans the outbox took 30 ms, with the writer held, for every few records sent.
func TestARelayReadsNothingThatIsNotDue(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	err := db.WriteSQL(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+sqlite.DueRecords, 1, 32)
		if err != nil {
			return err
		}
		defer rows.Close()
		searches := 0
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return err
			}
			if strings.HasPrefix(step, "SEARCH o USING INDEX outbox_due") {
				searches++
			}
			if strings.HasPrefix(step, "SCAN o") {
				t.Errorf("the outbox is read from end to end: %s", step)
			}
		}
		if searches != 2 {
			t.Errorf("%d searches for what is due, want 2", searches)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}
