package servicetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// apt is Debian's package manager with a state of its own: it knows no installed package, and reads one release from the
// mirror that the host reads its own from.
type apt struct {
	ctx     context.Context
	debs    string // where it downloads to
	options []string
}

func newApt(ctx context.Context, dir, suite string) (*apt, error) {
	source, err := hostSource(suite)
	if err != nil {
		return nil, err
	}
	a := &apt{ctx: ctx, debs: filepath.Join(dir, "debs")}
	for _, name := range []string{"debs", "parts", "preferences", "state", "cache"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return nil, err
		}
	}
	status := filepath.Join(dir, "state", "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "parts", "release"+source.ending), []byte(source.text), 0o644); err != nil {
		return nil, err
	}
	for _, option := range []string{
		"Dir::State=" + filepath.Join(dir, "state"),
		"Dir::State::status=" + status,
		"Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::Etc::SourceList=/dev/null",
		"Dir::Etc::SourceParts=" + filepath.Join(dir, "parts"),
		"Dir::Etc::Preferences=/dev/null",
		"Dir::Etc::PreferencesParts=" + filepath.Join(dir, "preferences"),
		"Acquire::Languages=none",
		"Acquire::Retries=3",
		"APT::Sandbox::User=", // the folder is this user's, and not the one's that apt would download as
	} {
		a.options = append(a.options, "-o", option)
	}
	return a, nil
}

func (a *apt) run(args ...string) error {
	return command(a.ctx, a.debs, "apt-get", slices.Concat([]string{"-qq"}, a.options, args)...)
}

// aptSource is an entry of apt's sources, in one of its two notations, told by the ending of its file.
type aptSource struct{ text, ending string }

// hostSource is the entry by which the host has its own release, rewritten for another.
func hostSource(suite string) (aptSource, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return aptSource{}, err
	}
	if !regexp.MustCompile(`(?m)^ID="?debian"?$`).Match(release) {
		return aptSource{}, errors.New("this host is not Debian: its mirror has other packages")
	}
	names := []string{"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"}
	if codename := regexp.MustCompile(`(?m)^VERSION_CODENAME="?([a-z]+)"?$`).FindSubmatch(release); codename != nil {
		names = append(names, string(codename[1]))
	}
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*.sources") // patterns are well formed
	lists, _ := filepath.Glob("/etc/apt/sources.list.d/*.list")
	for _, file := range slices.Concat([]string{"/etc/apt/sources.list"}, files, lists) {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return aptSource{}, err
		}
		if found, ok := sourceIn(string(text), filepath.Ext(file), names, suite); ok {
			return found, nil
		}
	}
	return aptSource{}, fmt.Errorf("no entry of apt's sources has one of the releases %s", strings.Join(names, ", "))
}

// sourceIn finds, in a file of apt's sources, the entry of a release with one of the names, and rewrites it for suite.
func sourceIn(text, ending string, names []string, suite string) (aptSource, bool) {
	if ending == ".sources" {
		for stanza := range strings.SplitSeq(text, "\n\n") {
			if rewritten, ok := stanzaFor(stanza, names, suite); ok {
				return aptSource{rewritten, ending}, true
			}
		}
		return aptSource{}, false
	}
	for line := range strings.Lines(text) {
		if rewritten, ok := lineFor(line, names, suite); ok {
			return aptSource{rewritten, ending}, true
		}
	}
	return aptSource{}, false
}

var (
	fieldName = regexp.MustCompile(`(?i)^(types|uris|suites|components|enabled):\s*(.*)$`)
	entryLine = regexp.MustCompile(`^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+.*\bmain\b`)
)

// stanzaFor rewrites an entry in the notation of deb822, keeping what it says about keys.
func stanzaFor(stanza string, names []string, suite string) (string, bool) {
	var kept []string
	var uris, found, main bool
	for line := range strings.SplitSeq(strings.Trim(stanza, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		match := fieldName.FindStringSubmatch(line)
		if match == nil {
			kept = append(kept, line)
			continue
		}
		values := strings.Fields(match[2])
		switch strings.ToLower(match[1]) {
		case "uris":
			uris = true
			kept = append(kept, line)
		case "suites":
			found = slices.ContainsFunc(values, func(value string) bool { return slices.Contains(names, value) })
		case "components":
			main = slices.Contains(values, "main")
		case "enabled":
			if slices.Contains(values, "no") {
				return "", false
			}
		}
	}
	rewritten := fmt.Sprintf("Types: deb\nSuites: %s\nComponents: main\n%s\n", suite, strings.Join(kept, "\n"))
	return rewritten, uris && found && main
}

// lineFor rewrites an entry in the notation of sources.list(5).
func lineFor(line string, names []string, suite string) (string, bool) {
	match := entryLine.FindStringSubmatch(line)
	if match == nil || !slices.Contains(names, match[3]) {
		return "", false
	}
	return fmt.Sprintf("deb %s%s %s main\n", match[1], match[2], suite), true
}
