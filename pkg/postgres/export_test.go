package postgres

import "github.com/rae-memory/rae/pkg/memory"

// Connected returns how many connections have been opened in all.
func (d *DB) Connected() int64 {
	if p := d.pool.Load(); p != nil {
		return p.Stat().NewConnsCount()
	}
	return 0
}

// Waiting returns how many writers of the scope wait for their turn.
func (d *DB) Waiting(scope memory.Scope) int {
	d.lines.mu.Lock()
	defer d.lines.mu.Unlock()
	if q := d.lines.open[scope]; q != nil {
		return q.Waiting()
	}
	return 0
}
