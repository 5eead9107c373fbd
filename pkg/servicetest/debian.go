package servicetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// recipe is a product as packages of one release of Debian's, with all they need down to the C library: so that they run
// on a host of another release, and leave the host as it is.
type recipe struct {
	title    string   // for a person
	name     string   // of its folder in the cache
	suite    string   // the release
	packages []string // with the libraries that are linked when the programs start
	programs string   // pattern of the programs to run, within the folder they are unpacked to
}

// debianPostgres has what PostgreSQL links, without the compiler of its JIT.
var debianPostgres = recipe{
	title: "PostgreSQL 17 + pgvector", name: "postgresql-17", suite: "trixie",
	programs: "usr/lib/postgresql/17/bin/*",
	packages: strings.Fields(`postgresql-17 postgresql-client-17 postgresql-17-pgvector patchelf libc6 libc-bin libgcc-s1
		libstdc++6 libgssapi-krb5-2 libkrb5-3 libkrb5support0 libk5crypto3 libkeyutils1 libcom-err2 libicu76 libldap2
		libsasl2-2 liblz4-1 libpam0g libaudit1 libcap-ng0 libpq5 libselinux1 libpcre2-8-0 libssl3t64 libsystemd0 libcap2
		libgcrypt20 libgpg-error0 liblzma5 libuuid1 libxml2 libxslt1.1 libzstd1 zlib1g libedit2 libreadline8t64 libtinfo6
		libbsd0 libmd0 libxxhash0`),
}

// debianRedis is 7.0, the oldest that RAE knows: what its tests use, newer ones have.
var debianRedis = recipe{
	title: "Redis 7.0", name: "redis-7.0", suite: "bookworm",
	programs: "usr/bin/redis-*",
	packages: strings.Fields(`redis-server redis-tools patchelf libc6 libgcc-s1 libstdc++6 libatomic1 libjemalloc2 liblzf1
		liblua5.1-0 lua-cjson lua-bitop libssl3 libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 liblz4-1 libzstd1`),
}

const debianLimit = 5 * time.Minute // for everything; seconds, on a network that is well

// obtain returns the folder that the product is unpacked in, after unpacking it if no other process has.
func (r recipe) obtain(c cache) (string, error) {
	sum := sha256.Sum256([]byte(r.suite + " " + strings.Join(r.packages, " ")))
	name := r.name + "-" + runtime.GOARCH + "-" + hex.EncodeToString(sum[:4])
	final := filepath.Join(c.dir, name)
	if exists(final) {
		return final, nil
	}
	for _, program := range []string{"apt-get", "dpkg"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	return final, c.exclusively(name, func() error {
		if exists(final) {
			return nil
		}
		partial, err := c.partial(name)
		if err != nil {
			return err
		}
		defer os.RemoveAll(partial) //nolint:errcheck // the next one tries again
		ctx, cancel := context.WithTimeout(context.Background(), debianLimit)
		defer cancel()
		begun := time.Now()
		fmt.Fprintf(os.Stderr, "obtaining %s: downloading %d packages…\n", r.title, len(r.packages))
		if err := r.unpack(ctx, partial, final); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "obtaining %s: done in %.1f s, in %s\n", r.title, time.Since(begun).Seconds(), final)
		return os.Rename(filepath.Join(partial, "root"), final)
	})
}

// unpack downloads and unpacks the packages within the folder partial, as they will run in the folder final.
func (r recipe) unpack(ctx context.Context, partial, final string) error {
	a, err := newApt(ctx, partial, r.suite)
	if err != nil {
		return err
	}
	if err := a.run("update"); err != nil {
		return err
	}
	if err := a.run(append([]string{"download"}, r.packages...)...); err != nil {
		return err
	}
	debs, _ := filepath.Glob(filepath.Join(a.debs, "*.deb")) // the pattern is well formed
	root := filepath.Join(partial, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := command(ctx, partial, "dpkg", "-x", deb, root); err != nil {
			return err
		}
	}
	return r.patch(ctx, root, final)
}

// patch has the programs use the C library and the libraries they were unpacked with. It is written into them, because
// they start one another by path; as RPATH, because libraries inherit that and do not inherit RUNPATH.
func (r recipe) patch(ctx context.Context, root, final string) error {
	loaders, _ := filepath.Glob(filepath.Join(root, "usr/lib/*/ld-linux-*.so.*")) // patterns are well formed
	older, _ := filepath.Glob(filepath.Join(root, "lib/*/ld-linux-*.so.*"))
	if loaders = append(loaders, older...); len(loaders) != 1 {
		return fmt.Errorf("libc6 of %s has %d dynamic loaders, want one", r.suite, len(loaders))
	}
	triplet := filepath.Base(filepath.Dir(loaders[0]))
	within, err := filepath.Rel(root, loaders[0])
	if err != nil {
		return err
	}
	libraries := func(root string) string {
		return filepath.Join(root, "usr/lib", triplet) + ":" + filepath.Join(root, "lib", triplet)
	}
	programs, _ := filepath.Glob(filepath.Join(root, r.programs))
	patched := 0
	for _, program := range programs {
		if isELF, err := beginsWith(program, "\x7fELF"); err != nil {
			return err
		} else if !isELF {
			continue
		}
		patched++
		// patchelf is of the same release, and needs the same help itself.
		err := command(ctx, root, loaders[0], "--library-path", libraries(root), filepath.Join(root, "usr/bin/patchelf"),
			"--set-interpreter", filepath.Join(final, within), "--force-rpath", "--set-rpath", libraries(final), program)
		if err != nil {
			return err
		}
	}
	if patched == 0 {
		return fmt.Errorf("the packages of %s have no program %s", r.title, r.programs)
	}
	return nil
}

func beginsWith(path, magic string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // a link to what is not unpacked
	} else if err != nil {
		return false, err
	}
	defer file.Close() //nolint:errcheck // only read
	head := make([]byte, len(magic))
	n, _ := file.Read(head) // a short file does not begin so
	return string(head[:n]) == magic, nil
}

// command runs a program in a folder; its output is the error's.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(slices.Concat([]string{filepath.Base(name)}, args), " "), err, bytes.TrimSpace(out))
	}
	return nil
}
