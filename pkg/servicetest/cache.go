package servicetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// cache is the folder that outlives test binaries: unpacked programs, prepared data, and the folders of those that run.
type cache struct {
	dir string
	as  *identity // who runs servers, nil for whoever runs the tests
}

// identity is the user that servers run as when root runs the tests: PostgreSQL refuses to be root.
type identity struct {
	name     string
	uid, gid int
}

// openCache makes the cache folder: RAE_TEST_CACHE, or rae/services where this user's caches are.
func openCache() (cache, error) {
	c := cache{dir: os.Getenv("RAE_TEST_CACHE")}
	if os.Geteuid() == 0 {
		as, err := unprivileged()
		if err != nil {
			return c, err
		}
		c.as = as
	}
	if c.dir == "" {
		c.dir = filepath.Join(cachesOf(c.as), "rae", "services")
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return c, err
	}
	c.dir = dir
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return c, fmt.Errorf("%w (RAE_TEST_CACHE names another folder)", err)
	}
	return c, c.reachable()
}

// cachesOf is where the caches of a user are. Root's own home is closed to the user that runs servers.
func cachesOf(as *identity) string {
	if as != nil {
		return "/var/cache"
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return dir
	}
	return filepath.Join(os.TempDir(), "rae-"+strconv.Itoa(os.Geteuid()))
}

func unprivileged() (*identity, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &identity{name: name, uid: uid, gid: gid}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}

// reachable refuses a cache folder that the user who runs servers may not walk to.
func (c cache) reachable() error {
	if c.as == nil {
		return nil
	}
	for dir := c.dir; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("servers run as %s, who may not enter %s: set RAE_TEST_CACHE to a folder everybody may walk to", c.as.name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// give makes a path the property of the user who runs servers.
func (c cache) give(path string) error {
	if c.as == nil {
		return nil
	}
	return os.Lchown(path, c.as.uid, c.as.gid)
}

// copyTree copies folders and files, and gives them to the user who runs servers.
func (c cache) copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			err = os.Mkdir(target, info.Mode().Perm())
		case entry.Type().IsRegular():
			err = copyFile(target, path, info.Mode().Perm())
		default:
			err = fmt.Errorf("%s is neither a folder nor a file", path)
		}
		return errors.Join(err, c.give(target))
	})
}

func copyFile(to, from string, mode fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // only read
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// exclusively runs f while no other process does so under the same name.
func (c cache) exclusively(name string, f func() error) error {
	file, err := os.OpenFile(filepath.Join(c.dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // its end is the lock's end
	if err := lock(file); err != nil && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return f()
}
