package servicetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const dockerLimit = 5 * time.Minute // for one command of Docker's; a pull is the longest

// image tells whether Docker can run one: whether there is a daemon that answers.
func image(name string) (origin, error) {
	if _, err := docker("version", "--format", "{{.Server.Version}}"); err != nil {
		return origin{}, err
	}
	return origin{image: name, told: "Docker's " + name}, nil
}

func docker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dockerLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("docker %s: %w %s", args[0], err, text)
	}
	return text, nil
}

// container is a server that runs in Docker. Its data is in the container, which is removed with the server's folder.
type container struct {
	dir  string   // of this server
	name string   // of the container
	run  []string // what `docker run` is told after the name
	done chan struct{}
}

func newContainer(dir string, run ...string) *container {
	return &container{dir: dir, name: "rae-test-" + strings.ToLower(rand.Text()[:12]), run: run}
}

func postgresContainer(dir, image string, port int, settings map[string]string) instance {
	args := []string{"--publish", address(port) + ":5432", "--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--shm-size", "256m", image, "postgres"}
	return newContainer(dir, append(args, flags(settings)...)...)
}

func redisContainer(dir, image string, port int, args []string) instance {
	return newContainer(dir, append([]string{"--publish", address(port) + ":6379", image, "redis-server"}, args...)...)
}

func (c *container) start() error {
	args := []string{"start", c.name}
	if c.done == nil {
		args = append([]string{"run", "--detach", "--name", c.name}, c.run...)
		// The name first: a container that was started is known to the watchdog.
		if err := os.WriteFile(filepath.Join(c.dir, "container"), []byte(c.name), 0o644); err != nil {
			return err
		}
	}
	if _, err := docker(args...); err != nil {
		return err
	}
	done := make(chan struct{})
	c.done = done
	go func() {
		exec.Command("docker", "wait", c.name).Run() //nolint:errcheck // that it ended is all that is asked
		close(done)
	}()
	return nil
}

func (c *container) stop(signal syscall.Signal) error {
	if running(c) {
		if _, err := docker("kill", "--signal", fmt.Sprint(int(signal)), c.name); err != nil {
			return err
		}
		select {
		case <-c.done:
		case <-time.After(stopLimit):
			return fmt.Errorf("container %s did not end within %s", c.name, stopLimit)
		}
	}
	return nil
}

func (c *container) kill() error { return c.stop(syscall.SIGKILL) }

func (c *container) ended() <-chan struct{} { return c.done }

func (c *container) tail() string {
	text, err := docker("logs", "--tail", "50", c.name)
	if err != nil {
		return err.Error()
	}
	return text
}

func (c *container) remove() error {
	_, err := docker("rm", "--force", "--volumes", c.name)
	return err
}
