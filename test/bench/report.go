package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// report is what a run found.
type report struct {
	Processor string    `json:"processor"`
	Cores     int       `json:"cores"`
	System    string    `json:"system"`
	Go        string    `json:"go"`
	Commit    string    `json:"commit,omitempty"`
	Seed      uint64    `json:"seed"`
	Began     time.Time `json:"began"`
	Seconds   float64   `json:"seconds"`
	Parts     []*part   `json:"parts"`
}

// part is one store's figures, between two looks at the machine.
type part struct {
	Name     string    `json:"name"`
	About    []string  `json:"about"` // what it ran on, and how
	Load     []float64 `json:"load"`  // processes that wanted to run, in the minute before the part began and before it ended
	Controls []control `json:"controls"`
	Figures  []figure  `json:"figures"`
}

// control is a measurement of the machine, which no engine can be faster than.
type control struct {
	What   string  `json:"what"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	Unit   string  `json:"unit"`
}

func newReport(root string, seed uint64) *report {
	return &report{
		Processor: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Commit: commit(root), Seed: seed, Began: time.Now().UTC(),
	}
}

// add adds a figure and says it.
func (p *part) add(f figure) {
	for _, smaller := range p.Figures {
		if smaller.What == f.What && smaller.Memories < f.Memories && smaller.Value > 0 && f.Unit != ofRows {
			f.Growth = f.Value / smaller.Value
		}
	}
	p.Figures = append(p.Figures, f)
	line := "  " + f.What + ": " + f.value(f.Value)
	if f.Baseline != nil {
		line += fmt.Sprintf(", %s %s, ratio %s", f.Baseline.What, f.value(f.Baseline.Value), number(f.Baseline.Ratio))
	}
	if f.Bound != "" {
		line += " (" + f.Bound + ": " + f.verdict() + ")"
	}
	say("%s", line)
}

// find returns the value of a figure in a scope of so many memories, 0 if there is none.
func (p *part) find(what string, memories int) float64 {
	for _, f := range p.Figures {
		if f.What == what && f.Memories == memories {
			return f.Value
		}
	}
	return 0
}

func (r *report) missed() (n int) {
	for _, p := range r.Parts {
		for _, f := range p.Figures {
			if f.Missed {
				n++
			}
		}
	}
	return n
}

func (r *report) json(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// markdown writes every part as two tables.
func (r *report) markdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	for i, p := range r.Parts {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "### %s\n\n%s, %d cores, %s, %s", p.Name, r.Processor, r.Cores, r.System, r.Go)
		if r.Commit != "" {
			fmt.Fprintf(out, ", commit %s", r.Commit)
		}
		fmt.Fprintf(out, ", %s, %.0f s, seed %d.", r.Began.Format(time.DateOnly), r.Seconds, r.Seed)
		for _, about := range p.About {
			fmt.Fprintf(out, " %s", about)
		}
		fmt.Fprint(out, "\n\n")
		p.controls(out)
		p.table(out)
	}
	return out.Flush()
}

func (p *part) controls(out io.Writer) {
	if len(p.Controls) == 0 {
		fmt.Fprint(out, "The run ended before its controls were measured again.\n\n")
		return
	}
	fmt.Fprint(out, "| control (the machine, not RAE) | before | after |\n|---|---|---|\n")
	most := 0.0
	for _, c := range p.Controls {
		fmt.Fprintf(out, "| %s | %s %s | %s %s |\n", c.What, number(c.Before), c.Unit, number(c.After), c.Unit)
		if c.Before > 0 && c.After > 0 {
			most = max(most, math.Abs(c.After/c.Before-1))
		}
	}
	if len(p.Load) == 2 {
		fmt.Fprintf(out, "| processes that wanted to run (load) | %.1f | %.1f |\n", p.Load[0], p.Load[1])
	}
	fmt.Fprintf(out, "\nThe controls moved by up to %.0f %%.\n\n", 100*most)
}

func (p *part) table(out io.Writer) {
	fmt.Fprint(out, "| figure | memories | measured | p95 | × of the size before | baseline of this run | ratio (half of the blocks) | bound | |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, f := range p.Figures {
		var memories, p95, growth, against, ratio string
		if f.Memories > 0 {
			memories = fmt.Sprint(f.Memories)
		}
		if f.P95 > 0 {
			p95 = f.value(f.P95)
		}
		if f.Growth > 0 {
			growth = number(f.Growth)
		}
		if b := f.Baseline; b != nil {
			against, ratio = b.What+" "+f.value(b.Value), number(b.Ratio)
			if b.High > 0 {
				ratio += fmt.Sprintf(" (%s–%s)", number(b.Low), number(b.High))
			}
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.What, memories, f.value(f.Value), p95, growth, against, ratio, f.Bound, f.verdict())
	}
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

// load is how many processes wanted to run in the last minute, 0 where the system does not say.
func load() (one float64) {
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(text), &one) //nolint:errcheck // then it is 0
	}
	return one
}

// commit is the revision of what is measured, "" where there is none to ask for.
func commit(root string) string {
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	revision := git("rev-parse", "--short", "HEAD")
	if revision != "" && git("status", "--porcelain", "--untracked-files=no") != "" {
		revision += " and changes"
	}
	return revision
}
