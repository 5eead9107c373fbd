package main

import (
	"fmt"
	"time"
)

// Units of figures.
const (
	inMilliseconds = "ms"
	perSecond      = "/s"
	ofRows         = "rows"
	share          = ""
)

// figure is one line of the table.
type figure struct {
	What     string    `json:"what"`
	Memories int       `json:"memories,omitempty"` // in the scope it was measured in; 0: it is of none
	Value    float64   `json:"value"`              // the median, where there is more than one
	Unit     string    `json:"unit,omitempty"`     // ms, /s or rows
	P95      float64   `json:"p95,omitempty"`
	Growth   float64   `json:"growth,omitempty"` // the value over that in the next smaller scope
	Baseline *baseline `json:"baseline,omitempty"`
	Bound    string    `json:"bound,omitempty"`
	Missed   bool      `json:"missed,omitempty"`
}

// baseline is what a figure is measured against.
type baseline struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Ratio float64 `json:"ratio"` // the figure's value over this one
	// Low and High are the quartiles of the ratios of single blocks; both 0 where the two were not measured in turns.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// took is a figure of durations.
func took(what string, memories int, s sample) figure {
	return figure{What: what, Memories: memories, Value: milliseconds(s.p50()), P95: milliseconds(s.p95()), Unit: inMilliseconds}
}

// rate is a figure of things per second.
func rate(what string, memories, n int, took time.Duration) figure {
	return figure{What: what, Memories: memories, Value: float64(n) / took.Seconds(), Unit: perSecond}
}

// compared is a figure that was measured in turns with its baseline.
func compared(what string, memories int, unit string, t turns, against string) figure {
	f := figure{What: what, Memories: memories, Value: quantile(t.subject, .5), Unit: unit}.against(against, quantile(t.baseline, .5))
	var ratios []float64
	for i, value := range t.subject {
		ratios = append(ratios, value/t.baseline[i])
	}
	f.Baseline.Low, f.Baseline.High = quantile(ratios, .25), quantile(ratios, .75)
	return f
}

// against sets the baseline of the same unit.
func (f figure) against(what string, value float64) figure {
	f.Baseline = &baseline{What: what, Value: value, Ratio: f.Value / value}
	return f
}

// atMost and atLeast bound the ratio.
func (f figure) atMost(ratio float64) figure {
	return f.bounded(fmt.Sprintf("ratio ≤ %g", ratio), f.Baseline.Ratio <= ratio)
}

func (f figure) atLeast(ratio float64) figure {
	return f.bounded(fmt.Sprintf("ratio ≥ %g", ratio), f.Baseline.Ratio >= ratio)
}

// within and faster bound the value itself.
func (f figure) within(goal time.Duration) figure {
	if goal == 0 {
		return f
	}
	return f.bounded("≤ "+number(milliseconds(goal))+" ms", f.Value <= milliseconds(goal))
}

func (f figure) faster(goal float64) figure {
	return f.bounded(fmt.Sprintf("≥ %s /s", number(goal)), f.Value >= goal)
}

func (f figure) bounded(bound string, met bool) figure {
	f.Bound, f.Missed = bound, !met
	return f
}

// verdict says how the figure stands to its bound.
func (f figure) verdict() string {
	switch {
	case f.Bound == "":
		return ""
	case f.Missed:
		return "MISSED"
	}
	return "ok"
}

// number writes as many digits as mean something.
func number(v float64) string {
	switch {
	case v < .1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// value writes the figure's value with its unit.
func (f figure) value(v float64) string {
	if f.Unit == share {
		return fmt.Sprintf("%.3f", v)
	}
	return number(v) + " " + f.Unit
}
