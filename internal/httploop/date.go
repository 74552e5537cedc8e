package httploop

import (
	"log"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
)

// date is the value of Date, made once a second.
type date struct{ last atomic.Pointer[dateOf] }

type dateOf struct {
	until int64 // on the loop's clock, which is quicker to ask than the wall's
	text  string
}

func (s *Server) dateNow() string {
	if last := s.date.last.Load(); last != nil && s.loop.Now() < last.until {
		return last.text
	}
	now := time.Now()
	rest := time.Second - time.Duration(now.Nanosecond())
	last := &dateOf{s.loop.Now() + int64(rest), string(h1.AppendDate(nil, now))}
	s.date.last.Store(last)
	return last.text
}

func (s *Server) logf(format string, args ...any) {
	if l := s.config.HTTP.ErrorLog; l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
