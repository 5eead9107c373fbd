package servicetest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.DialerRetries, options.MaxRetries = 1, -1 // a server that was killed is not waited for
	c := redis.NewClient(options)
	t.Cleanup(func() { c.Close() }) //nolint:errcheck // its server may be gone
	return c
}

func TestRedisDatabasesAreApart(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	server := servicetest.Redis(t)
	t.Logf("%s; there after %s", server.Version(), time.Since(begun).Round(time.Millisecond))
	var used string
	t.Run("one", func(t *testing.T) {
		used = server.Database(t)
		a, b := client(t, used), client(t, server.Database(t))
		if err := a.Set(t.Context(), "key", "a", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Get(t.Context(), "key").Result(); !errors.Is(err, redis.Nil) {
			t.Errorf("another database has %q, %v", got, err)
		}
	})
	if n, err := client(t, used).DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys are left after the test, %v", n, err)
	}
}

func TestRedisRunsLua(t *testing.T) {
	t.Parallel()
	c := client(t, servicetest.Redis(t).Database(t))
	got, err := c.Eval(t.Context(), "return cjson.encode({redis.call('incr', KEYS[1]), bit.band(6, 3)})", []string{"n"}).Text()
	if got != "[1,2]" || err != nil {
		t.Errorf("a script answers %s, %v", got, err)
	}
}

func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	server := servicetest.OwnRedis(t, map[string]string{"appendonly": "yes", "appendfsync": "always"})
	url := server.Database(t)
	if err := client(t, url).Set(t.Context(), "key", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := client(t, url).Ping(t.Context()).Err(); err == nil {
		t.Error("the server answers after Kill")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if got, err := client(t, url).Get(t.Context(), "key").Result(); got != "kept" || err != nil {
		t.Errorf("after Kill and Start the key is %q, %v", got, err)
	}
	if err := servicetest.Redis(t).Kill(); err == nil {
		t.Error("Kill of the shared server went through")
	}
}
