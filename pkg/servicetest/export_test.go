package servicetest

// Folder is what this process' servers write to.
func Folder() string { return shared.folder.dir }

// Watchdog is the process that ends them when this one is gone.
func Watchdog() int { return shared.folder.watchdog.Process.Pid }

// Sweep ends and removes what processes that are gone left in a folder.
func Sweep(running string) { sweep(running) }

// FirstPostgres goes the ways to PostgreSQL that do not lead anywhere.
func FirstPostgres(failing ...error) error {
	var ways []way
	for _, err := range failing {
		ways = append(ways, way{"a way", func() (origin, error) { return origin{}, err }})
	}
	_, err := first("PostgreSQL", "sudo apt install it", ways)
	return err
}

// AtLeast compares versions.
func AtLeast(version string, major, minor int) bool { return atLeast(version, major, minor) }

// SourceIn rewrites an entry of apt's sources.
func SourceIn(text, ending string, names []string, suite string) (string, bool) {
	found, ok := sourceIn(text, ending, names, suite)
	return found.text, ok
}

// Folder is what the servers write to.
func (s *Services) Folder() string { return s.folder.dir }
