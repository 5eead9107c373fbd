package backuptest

import (
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/backup"
)

// Derived are, by table, the columns of tables with a tenant that an archive does not tell, each with the reason; "*" is
// the whole table.
type Derived map[string]map[string]string

// CheckSchema fails where the store keeps something of a tenant (columns, by table) that would be lost: what is neither
// told nor declared to be computed, and what is told or declared and not there.
func CheckSchema(t *testing.T, columns map[string][]string, derived Derived) {
	t.Helper()
	told := map[string][]string{}
	for _, table := range backup.Tables() {
		told[table.Name] = []string{"tenant"}
		for _, c := range table.Columns {
			told[table.Name] = append(told[table.Name], c.Name)
		}
	}
	for table, have := range columns {
		if told[table] == nil && derived[table]["*"] == "" {
			t.Errorf("table %s is in no backup: tell it (backup.Tables), or say why not", table)
		}
		for _, column := range have {
			lost := !slices.Contains(told[table], column) && derived[table]["*"] == "" && derived[table][column] == ""
			if lost && told[table] != nil {
				t.Errorf("column %s.%s is in no backup: tell it (backup.Tables), or say why not", table, column)
			}
		}
	}
	for table, names := range told {
		for _, column := range names {
			if !slices.Contains(columns[table], column) {
				t.Errorf("backups tell %s.%s, which the store does not have", table, column)
			}
		}
	}
	for table, names := range derived {
		for column := range names {
			if columns[table] == nil || column != "*" && !slices.Contains(columns[table], column) {
				t.Errorf("%s.%s is declared, and not there", table, column)
			}
		}
	}
}
