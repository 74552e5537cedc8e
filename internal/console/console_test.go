package console

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

func TestLines(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(New(&b, false))
	log.Info("request", "ip", "192.0.2.7", "duration", 1234567*time.Nanosecond, "status", 200, "route", "", "path", "/a b", "method", "GET")
	log.With("id", 7).WithGroup("g").Warn("two words", "error", errors.New("it is \"odd\""), slog.Group("h", "k", "v"))
	log.Error("panic", "stack", "goroutine 1:\nmain.go\n\tline\n", "id", "x")
	log.Debug("evil \x1b[31m", "path", "/\x1b]0;title\a\r\n", "k", "\x00\u202e")
	var got []string
	for line := range strings.Lines(b.String()) {
		if line[0] != ' ' {
			_, line, _ = strings.Cut(line, " ")
		}
		got = append(got, strings.TrimRight(line, "\n"))
	}
	want := []string{
		"INFO  request GET /a b 200 1.23ms ip=192.0.2.7",
		`WARN  two words id=7 g.error="it is \"odd\"" g.h.k=v`,
		"ERROR panic id=x",
		"    goroutine 1:", "    main.go", "    \tline",
		`DEBUG evil \x1b[31m k=\x00\u202e`,
		`    /\x1b]0;title\a\r`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestColours(t *testing.T) {
	var b bytes.Buffer
	slog.New(New(&b, true)).Error("m", "k", "v")
	if got := b.String(); !strings.Contains(got, "\x1b[31mERROR\x1b[0m \x1b[1mm\x1b[0m \x1b[2mk=\x1b[0mv\n") {
		t.Errorf("%q", got)
	}
}

func TestUntouched(t *testing.T) {
	if !Untouched() {
		t.Error("nobody has set another logger")
	}
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if Untouched() {
		t.Error("it was set")
	}
}

// The handler keeps to what slog asks of one, as far as a line of text shows it.
func TestHandler(t *testing.T) {
	var b bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler { b.Reset(); return New(&b, false) }, func(t *testing.T) map[string]any {
		m := make(map[string]any)
		fields := strings.Fields(b.String())
		if strings.Contains(fields[0], ":") {
			m[slog.TimeKey], fields = fields[0], fields[1:]
		}
		m[slog.LevelKey], m[slog.MessageKey] = fields[0], fields[1]
		for _, f := range fields[2:] {
			key, value, _ := strings.Cut(f, "=")
			at := m
			for group, rest, ok := strings.Cut(key, "."); ok; group, rest, ok = strings.Cut(key, ".") {
				if at[group] == nil {
					at[group] = make(map[string]any)
				}
				at, key = at[group].(map[string]any), rest
			}
			at[key] = value
		}
		return m
	})
}
