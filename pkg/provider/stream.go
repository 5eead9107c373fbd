package provider

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// maxLine is the longest line of a stream: many times what an event of a few words needs.
const maxLine = 1 << 20

// Stream sends in as Post does, and hands the events of the answer to take as they come (server-sent events: HTML Living
// Standard, section 9.2), each with its name, "" where it has none, and its data, which is take's until it returns. take
// says which event is the last one; what comes after it is not read. It returns nil too where the answer ends before:
// whether it is whole then, the caller must know, and CutOff is the error if not.
//
// Before the first event it tries again as Post does, and never after. The events together are no longer than
// Options.MaxAnswer. An answer that is no stream is Unavailable; errors of take are returned as they are.
func (c *Client) Stream(ctx context.Context, path string, in any, take func(name string, data []byte) (last bool, err error)) error {
	if err := llm.NoDryRun(ctx); err != nil {
		return err
	}
	return c.ask(ctx, path, in, eventMedia, func(answer *http.Response) error { return c.events(ctx, answer, take) })
}

func (c *Client) events(ctx context.Context, answer *http.Response, take func(string, []byte) (bool, error)) error {
	if media := mediaOf(answer); media != eventMedia {
		return llm.Spent(fault.New(fault.Unavailable, "%s answered with %q instead of a stream of events: is its address right?", c.Name(), media))
	}
	body := &io.LimitedReader{R: answer.Body, N: c.options.MaxAnswer + 1}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	lines.Split(line)
	var name string
	var data []byte
	begun := false
	for lines.Scan() {
		text := lines.Bytes()
		if len(text) == 0 { // the event has ended
			if begun {
				if last, err := take(name, data); last || err != nil {
					return err
				}
			}
			name, data, begun = "", data[:0], false
			continue
		}
		field, value, _ := bytes.Cut(text, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if begun {
				data = append(data, '\n')
			}
			data, begun = append(data, value...), true
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong), err == nil && body.N <= 0:
		return c.tooLong()
	case err != nil:
		return c.broken(ctx, err)
	}
	return nil // an event without the line that ends it is none
}

// line splits at \n, \r\n and \r, and drops the rest of a line that has no end.
func line(text []byte, atEOF bool) (advance int, token []byte, err error) {
	end := bytes.IndexAny(text, "\r\n")
	switch {
	case end < 0 && atEOF:
		return len(text), nil, nil
	case end < 0:
		return 0, nil, nil
	case text[end] == '\n':
		return end + 1, text[:end], nil
	case end+1 < len(text) && text[end+1] == '\n':
		return end + 2, text[:end], nil
	case end+1 < len(text) || atEOF:
		return end + 1, text[:end], nil
	}
	return 0, nil, nil // whether \n follows is yet to come
}
