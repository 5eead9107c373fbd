package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is a number of measurements of the same thing.
type sample []time.Duration

// at returns the quantile q (0..1) of the sample by nearest rank.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s sample) p50() time.Duration { return s.at(0.5) }
func (s sample) p95() time.Duration { return s.at(0.95) }

// measure times do n times.
func measure(n int, do func(i int) error) (sample, error) {
	s := make(sample, 0, n)
	for i := range n {
		began := time.Now()
		if err := do(i); err != nil {
			return s, err
		}
		s = append(s, time.Since(began))
	}
	return s, nil
}

// row is one line of the table.
type row struct {
	what     string
	p50, p95 string
	goal     string
	baseline string
	ratio    string
}

// report is what a run found.
type report struct {
	seed          uint64
	began         time.Time
	before, after []control
	rows          []row
}

// took adds a row of durations. goal 0 is none; baseline "" is none.
func (r *report) took(what string, s sample, goal time.Duration, baseline string, against time.Duration) {
	line := row{what: what, p50: ms(s.p50()), p95: ms(s.p95())}
	if goal > 0 {
		line.goal = "≤ " + ms(goal) + verdict(s.p50() <= goal)
	}
	if baseline != "" && against > 0 {
		line.baseline, line.ratio = baseline+" "+ms(against), fmt.Sprintf("%.2f", float64(s.p50())/float64(against))
	}
	r.add(line)
}

// rate adds a row of things per second.
func (r *report) rate(what string, n int, took time.Duration, goal float64, baseline string, against float64) {
	perSecond := float64(n) / took.Seconds()
	line := row{what: what, p50: fmt.Sprintf("%.0f /s", perSecond)}
	if goal > 0 {
		line.goal = fmt.Sprintf("≥ %.0f /s", goal) + verdict(perSecond >= goal)
	}
	if baseline != "" && against > 0 {
		line.baseline, line.ratio = fmt.Sprintf("%s %.0f /s", baseline, against), fmt.Sprintf("%.2f", perSecond/against)
	}
	r.add(line)
}

func (r *report) add(line row) {
	r.rows = append(r.rows, line)
	say("  %s: %s", line.what, line.p50)
}

func verdict(met bool) string {
	if met {
		return ", met"
	}
	return ", missed"
}

// ms writes milliseconds with as many digits as mean something.
func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v < 1:
		return fmt.Sprintf("%.3f ms", v)
	case v < 100:
		return fmt.Sprintf("%.2f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

// write prints the report as Markdown.
func (r *report) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	fmt.Fprintf(out, "Machine %s: %s, %d cores, %s/%s, %s. %s, %.0f s, seed %d.\n\n", host, processor(), runtime.NumCPU(),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), r.began.UTC().Format(time.DateOnly), time.Since(r.began).Seconds(), r.seed)
	fmt.Fprint(out, "| control (the machine, not RAE) | p50 before | p50 after |\n|---|---|---|\n")
	for i, c := range r.before {
		fmt.Fprintf(out, "| %s | %s | %s |\n", c.what, ms(c.p50), ms(r.after[i].p50))
	}
	fmt.Fprint(out, "\n| figure | p50 | p95 | goal | baseline of this run | ratio |\n|---|---|---|---|---|---|\n")
	for _, line := range r.rows {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", line.what, line.p50, line.p95, line.goal, line.baseline, line.ratio)
	}
	return out.Flush()
}

// processor names the CPU where the system says.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer file.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
