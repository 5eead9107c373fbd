package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/budget"
)

func TestTheBudgetIsKept(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	one, ten := budget.USD, 10*budget.USD

	status := decoded[budget.Status](t, raeIn(t, data, "", "budget", "set", "--daily", "1", "--monthly", "10", "--on-exhausted", "degrade", "--json"))
	if *status.DailyLimit != one || *status.MonthlyLimit != ten || status.OnExhausted != budget.Degrade {
		t.Fatalf("got %+v", status)
	}
	held := decoded[budget.Reservation](t, raeIn(t, data, "", "budget", "reserve", "--model", "gpt-4o", "--max-cost", "0.75", "--key", "k", "--json"))
	again := decoded[budget.Reservation](t, raeIn(t, data, "", "budget", "reserve", "--model", "gpt-4o", "--max-cost", "0.75", "--key", "k", "--json"))
	if held.ID == "" || again.ID != held.ID {
		t.Errorf("the same key reserved twice: %s and %s", held.ID, again.ID)
	}
	t.Run("a refusal is exit code 4 and says why", func(t *testing.T) {
		r := raeIn(t, data, "", "budget", "reserve", "--model", "gpt-4o", "--max-cost", "0.5")
		if r.code != exitOverBudget || r.stdout != "" || !strings.Contains(r.stderr, "0.75 USD reserved of 1 USD, 0.5 USD requested") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a settlement is booked", func(t *testing.T) {
		settled := decoded[budget.Reservation](t, raeIn(t, data, "", "budget", "settle", string(held.ID), "--cost", "0.25", "--json"))
		if settled.Status != budget.Settled || settled.Settlement.Cost != budget.USD/4 {
			t.Errorf("got %+v", settled)
		}
		r := raeIn(t, data, "", "costs")
		if want := "model   calls  tokens in  tokens out  cost   cache hits  saved\ngpt-4o  1      0          0           $0.25  0           $0\ntotal   1      0          0           $0.25  0           $0\n"; r.stdout != want {
			t.Errorf("got %q, want %q", r.stdout, want)
		}
	})
	t.Run("changing one limit keeps the others", func(t *testing.T) {
		status := decoded[budget.Status](t, raeIn(t, data, "", "budget", "set", "--daily", "none", "--json"))
		if status.DailyLimit != nil || *status.MonthlyLimit != ten || status.OnExhausted != budget.Degrade {
			t.Errorf("got %+v", status)
		}
	})
	t.Run("show prints a row per period", func(t *testing.T) {
		r := raeIn(t, data, "", "budget", "show")
		for _, part := range []string{"tenant default, project default: ok;", "\nday     none   $0.25  $0    none       ", "\nmonth   $10    $0.25  $0    $9.75      "} {
			if !strings.Contains(r.stdout, part) {
				t.Errorf("%q is missing in\n%s", part, r.stdout)
			}
		}
	})
	t.Run("prices are listed", func(t *testing.T) {
		got := decoded[struct{ Prices []budget.Price }](t, raeIn(t, data, "", "prices", "--json"))
		if len(got.Prices) == 0 {
			t.Error("there are none")
		}
	})
}
