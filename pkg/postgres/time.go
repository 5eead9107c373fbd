package postgres

import (
	"strconv"
	"time"
)

// millis is how PostgreSQL's settings tell a duration.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
