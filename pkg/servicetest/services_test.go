package servicetest_test

import (
	"os"
	"testing"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestServicesOfAProgramEndWhenItClosesThem(t *testing.T) {
	t.Parallel()
	services, err := servicetest.Open()
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := services.Postgres(map[string]string{"work_mem": "5MB"})
	if err != nil {
		t.Fatal(err)
	}
	redis, err := services.Redis(nil)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{postgres.Addr(), redis.Addr()}
	if got := listening(addresses); len(got) != 2 {
		t.Errorf("of %v only %v listen", addresses, got)
	}
	url, err := postgres.Create("mine")
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	for setting, want := range map[string]string{"work_mem": "5MB", "fsync": "on", "synchronous_commit": "on"} {
		if got := one[string](t, conn, "SELECT current_setting($1)", setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	folder := services.Folder()
	if err := services.Close(); err != nil {
		t.Error(err)
	}
	if still := listening(addresses); len(still) > 0 {
		t.Errorf("%v still listen", still)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", folder, err)
	}
}
