package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
)

// work is something of some scope that may be claimed, as the system role sees it: whose it is and its id.
type work struct {
	scope memory.Scope
	id    memory.ID
}

// candidates is how many are looked at together: whoever looks at the same moment takes the first ones.
const candidates = 16

// errTaken says that somebody else was faster, or that the work has been called off or erased.
var errTaken = errors.New("it cannot be claimed any more")

// claimNext offers claim what query finds, in its order, until claim takes one. query is of tenant, project and id, and
// its first argument is a limit. Each is claimed in a transaction of its scope, the only one that sees what it is.
func (d *DB) claimNext(ctx context.Context, claim func(work) error, query string, args ...any) (found bool, err error) {
	for full := true; full; {
		var due []work
		err := d.system(ctx, func(s *session) error {
			due = due[:0]
			return s.rows(query, append([]any{candidates}, args...), func(rows pgx.Rows) error {
				var c work
				err := rows.Scan(&c.scope.Tenant, &c.scope.Project, &c.id)
				due = append(due, c)
				return err
			})
		})
		if err != nil {
			return false, d.failed(ctx, "look for work", err)
		}
		for _, c := range due {
			if err := claim(c); !errors.Is(err, errTaken) {
				return err == nil, err
			}
		}
		full = len(due) == candidates // all were taken: there may be more behind them
	}
	return false, nil
}
