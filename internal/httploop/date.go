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
	second int64
	text   string
}

func (d *date) now() string {
	now := time.Now()
	last := d.last.Load()
	if last == nil || last.second != now.Unix() {
		last = &dateOf{now.Unix(), string(h1.AppendDate(nil, now))}
		d.last.Store(last)
	}
	return last.text
}

func (s *Server) logf(format string, args ...any) {
	if l := s.config.HTTP.ErrorLog; l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
