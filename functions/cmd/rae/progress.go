package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// sayEvery is how often progress is told where there is no terminal to redraw.
const sayEvery = 3 * time.Second

// meter shows on stderr how far something has come: a bar on a terminal, else a line every few seconds, and nothing
// when asked to be quiet. Its methods are called from one goroutine.
type meter struct {
	out   io.Writer
	unit  string // of the numbers shown beside bytes, such as "lines"
	bytes bool
	total int64 // 0: unknown
	done  int64
	count int

	bar   *progressbar.ProgressBar
	quiet bool
	began time.Time
	said  time.Time
}

// byBytes returns a meter of a stream of total bytes, 0 when nobody knows, that also counts units.
func (p *program) byBytes(what, unit string, total int64) *meter {
	m := &meter{out: p.stderr, unit: unit, bytes: true, total: total}
	m.start(p, what)
	return m
}

// byCount returns a meter of total things, 0 when nobody knows.
func (p *program) byCount(what, unit string, total int64) *meter {
	m := &meter{out: p.stderr, unit: unit, total: total}
	m.start(p, what)
	return m
}

func (m *meter) start(p *program, what string) {
	m.began = time.Now()
	m.said = m.began
	m.quiet = p.quiet
	if m.quiet || !isTerminal(p.stderr) {
		return
	}
	total := m.total
	if total == 0 {
		total = -1
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(m.out), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true), progressbar.OptionSpinnerType(14),
		progressbar.OptionSetPredictTime(m.total > 0), progressbar.OptionEnableColorCodes(!p.plain()),
	}
	if m.bytes {
		options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true))
	} else {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(m.unit))
	}
	m.bar = progressbar.NewOptions64(total, options...)
}

// add says that n more bytes (or things) are done.
func (m *meter) add(n int64) {
	m.done += n
	m.show(n)
}

// reaches says that done of total things are done; either may have changed.
func (m *meter) reaches(done, total int64) {
	if m.total = total; m.bar != nil && total > 0 {
		m.bar.ChangeMax64(total)
	}
	m.add(done - m.done)
}

// counts says how many units there are so far.
func (m *meter) counts(n int) {
	m.count = n
	m.show(0)
}

func (m *meter) show(n int64) {
	if m.quiet {
		return
	}
	if m.bar != nil {
		_ = m.bar.Add64(n) // a bar that cannot be drawn is no reason to stop
		return
	}
	if now := time.Now(); now.Sub(m.said) >= sayEvery {
		m.said = now
		fmt.Fprintf(m.out, "rae: %s\n", m.line(now.Sub(m.began)))
	}
}

// line is the progress in words.
func (m *meter) line(took time.Duration) string {
	done, text := m.done, ""
	if m.bytes {
		text = size(m.done)
		if m.total > 0 {
			text += " of " + size(m.total)
		}
		done = int64(m.count)
		text += ", " + thousands(m.count) + " " + m.unit
	} else {
		text = thousands(int(m.done))
		if m.total > 0 {
			text += " of " + thousands(int(m.total))
		}
		text += " " + m.unit
	}
	return text + ", " + rate(done, took, m.unit)
}

// finish removes the bar.
func (m *meter) finish() {
	if m.bar != nil {
		_ = m.bar.Finish()
		_ = m.bar.Close()
	}
}

func rate(n int64, took time.Duration, unit string) string {
	return fmt.Sprintf("%s %s/s", thousands(int(float64(n)/max(took.Seconds(), 1e-3))), unit)
}

// metered counts what is read into a meter, and gives up once ended is closed: a read of a terminal or a pipe cannot
// be called back, so it is left behind, with a buffer of its own, in a program that is about to end.
type metered struct {
	ended <-chan struct{}
	r     io.Reader
	meter *meter
}

func (m *metered) Read(b []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		own := make([]byte, min(len(b), 64<<10))
		n, err := m.r.Read(own)
		read <- result{own[:n], err}
	}()
	select {
	case <-m.ended:
		return 0, context.Canceled
	case got := <-read:
		n := copy(b, got.data)
		m.meter.add(int64(n))
		return n, got.err
	}
}

// meteredWriter counts what is written.
type meteredWriter struct {
	w     io.Writer
	meter *meter
}

func (m *meteredWriter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.meter.add(int64(n))
	return n, err
}
