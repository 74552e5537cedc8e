package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

// logger is a server's, which says much that nobody needs to know.
type logger struct {
	*slog.Logger
	fatal chan error // has room for one

	mu   sync.Mutex           // guards the field below
	last map[string]time.Time // when something was logged that comes again and again
}

// seldom logs a failure at most once a minute.
func (l *logger) seldom(format string, v ...any) {
	if l.due(format) {
		l.Warn("embedded: " + fmt.Sprintf(format, v...))
	}
}

func (l *logger) due(format string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = make(map[string]time.Time)
	}
	format = strings.Map(func(r rune) rune { // the server puts addresses and numbers in
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, format)
	is := time.Since(l.last[format]) >= time.Minute
	if len(l.last) >= maxFormats {
		clear(l.last)
	}
	if is {
		l.last[format] = time.Now()
	}
	return is
}

const maxFormats = 200 // that are known at once

func (l *logger) Noticef(string, ...any) {}
func (l *logger) Debugf(string, ...any)  {}
func (l *logger) Tracef(string, ...any)  {}

func (l *logger) Warnf(format string, v ...any) {
	switch {
	case strings.HasPrefix(format, "Plaintext passwords"): // which are in no file
	case strings.HasPrefix(format, "TLS certificate chain and hostname"): // which mutual verifies
	default:
		l.seldom(format, v...)
	}
}

func (l *logger) Errorf(format string, v ...any) { l.seldom(format, v...) }

// Fatalf does not end the process.
func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}
