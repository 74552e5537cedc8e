// Package console writes a log that people read while they work on a program.
package console

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Untouched reports whether the program has left slog's default logger as it is.
func Untouched() bool {
	return fmt.Sprintf("%T", slog.Default().Handler()) == "*slog.defaultHandler"
}

// Logger writes to standard error, in colours if that is a terminal or FORCE_COLOR is set,
// and NO_COLOR is not (force-color.org, no-color.org).
func Logger() *slog.Logger {
	info, err := os.Stderr.Stat()
	forced := os.Getenv("FORCE_COLOR") != ""
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return slog.New(New(os.Stderr, (forced || terminal && os.Getenv("TERM") != "dumb") && os.Getenv("NO_COLOR") == ""))
}

// New returns a handler for all levels. A record is one line: its time, level and
// message, the values of what every request has, and the other attributes with their
// names. Texts of several lines, such as stacks, follow it.
func New(w io.Writer, colour bool) slog.Handler { return &handler{out: &output{w: w, colour: colour}} }

type handler struct {
	out   *output
	group string // with a dot at its end
	attrs []slog.Attr
}

type output struct {
	colour bool
	mu     sync.Mutex // guards w
	w      io.Writer
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.out, h.group + name + ".", h.attrs}
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.out, h.group, append(slices.Clip(h.attrs), flat(h.group, attrs)...)}
}

// flat resolves attributes, and names those of groups in full.
func flat(group string, attrs []slog.Attr) (all []slog.Attr) {
	for _, a := range attrs {
		v := a.Value.Resolve()
		switch {
		case a.Equal(slog.Attr{}):
		case v.Kind() == slog.KindGroup && a.Key == "":
			all = append(all, flat(group, v.Group())...)
		case v.Kind() == slog.KindGroup:
			all = append(all, flat(group+a.Key+".", v.Group())...)
		default:
			all = append(all, slog.Attr{Key: group + a.Key, Value: v})
		}
	}
	return all
}

const (
	reset = "\x1b[0m"
	dim   = "\x1b[2m"
	bold  = "\x1b[1m"
)

func levelColour(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "\x1b[31m"
	case l >= slog.LevelWarn:
		return "\x1b[33m"
	case l >= slog.LevelInfo:
		return "\x1b[32m"
	}
	return dim
}

// bare are attributes that need no name.
var bare = []string{"method", "path", "status", "duration"}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, flat(h.group, []slog.Attr{a})...)
		return true
	})
	slices.SortStableFunc(attrs, func(a, b slog.Attr) int { return cmp.Compare(rank(a.Key), rank(b.Key)) })
	var line, rest bytes.Buffer
	if !r.Time.IsZero() {
		line.WriteString(h.out.paint(dim, r.Time.Format("15:04:05.000")) + " ")
	}
	line.WriteString(h.out.paint(levelColour(r.Level), fmt.Sprintf("%-5s", r.Level)) + " " + h.out.paint(bold, clean(r.Message)))
	for _, a := range attrs {
		switch text := textOf(a.Value); {
		case strings.Contains(text, "\n"):
			rest.WriteString(indented(text))
		case text == "":
		case rank(a.Key) < len(bare):
			line.WriteString(" " + clean(text))
		default:
			line.WriteString(" " + h.out.paint(dim, a.Key+"=") + quoted(text))
		}
	}
	line.WriteByte('\n')
	line.Write(rest.Bytes())
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(line.Bytes())
	return err
}

func rank(key string) int {
	if i := slices.Index(bare, key); i >= 0 {
		return i
	}
	return len(bare)
}

func (o *output) paint(colour, text string) string {
	if !o.colour {
		return text
	}
	return colour + text + reset
}

func textOf(v slog.Value) string {
	if v.Kind() == slog.KindDuration {
		return v.Duration().Round(10 * time.Microsecond).String()
	}
	return v.String()
}

// indented is a text of several lines, as a part of the record before it.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		b.WriteString("    " + clean(strings.TrimRight(line, "\n")) + "\n")
	}
	return b.String()
}

// quoted puts quotation marks around what would not be read as one value.
func quoted(text string) string {
	if strings.ContainsAny(text, " \"=") {
		return strconv.Quote(text)
	}
	return clean(text)
}

// clean escapes control characters, which a client may have sent and a terminal obeys.
func clean(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return r != '\t' && !strconv.IsPrint(r) }
