package servicetest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestNoWayNamesTheCommandThatHelps(t *testing.T) {
	t.Parallel()
	err := servicetest.FirstPostgres(errors.New("the mirror is away"), errors.New("no daemon answers"))
	for _, want := range []string{"sudo apt install it", "the mirror is away", "no daemon answers"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version      string
		major, minor int
		want         bool
	}{
		{"17.12 (Debian 17.12-0+deb13u1)", 15, 0, true},
		{"15.0", 15, 0, true},
		{"14.9", 15, 0, false},
		{"18beta1", 15, 0, true},
		{"0.8.0", 0, 8, true},
		{"0.7.4", 0, 8, false},
		{"0.10", 0, 8, true},
		{"1.0", 0, 8, true},
		{"7.0.15", 7, 0, true},
		{"6.2.1", 7, 0, false},
		{"", 0, 8, false},
		{"unknown", 7, 0, false},
	} {
		if got := servicetest.AtLeast(test.version, test.major, test.minor); got != test.want {
			t.Errorf("%q is at least %d.%d: %v", test.version, test.major, test.minor, got)
		}
	}
}

func TestAptSourceOfAnotherRelease(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, ending, text, want string }{
		{"deb822", ".sources", `Types: deb deb-src
# where
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`, "Types: deb\nSuites: trixie\nComponents: main\nURIs: http://mirror.example/debian\nSigned-By: /keys/debian.gpg\n"},
		{"a key within", ".sources", `Types: deb
URIs: http://mirror.example/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`, "Types: deb\nSuites: trixie\nComponents: main\nURIs: http://mirror.example/debian\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"},
		{"switched off", ".sources", "Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n", ""},
		{"another product's", ".sources", "Types: deb\nURIs: http://mirror.example/engine\nSuites: bookworm\nComponents: stable\n", ""},
		{"lines", ".list", `# deb http://mirror.example/old bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian bookworm main contrib
`, "deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian trixie main\n"},
		{"a line of another product's", ".list", "deb http://mirror.example/engine bookworm stable\n", ""},
	} {
		got, ok := servicetest.SourceIn(test.text, test.ending, []string{"stable", "bookworm"}, "trixie")
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: got %v\n%s\nwant\n%s", test.name, ok, got, test.want)
		}
	}
}
