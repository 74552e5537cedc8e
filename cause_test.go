package nextrush

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCausesOfWhatIsRefusedAreInTheLogAtDebug(t *testing.T) {
	for _, tt := range []struct {
		level slog.Level
		err   error
		want  string
	}{
		{slog.LevelDebug, NewError(404).WithCause(errors.New("no row")), `level=DEBUG msg="request refused" id=* status=404 error="404 Not Found: no row"`},
		{slog.LevelDebug, NewError(404), ""},
		{slog.LevelInfo, NewError(404).WithCause(errors.New("no row")), ""},
		{slog.LevelInfo, NewError(503).WithCause(errors.New("no row")), `level=ERROR msg="request failed" id=* error="503 Service Unavailable: no row"`},
	} {
		var log bytes.Buffer
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: tt.level}))})
		app.Get("/", func(*Context) error { return tt.err })
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		begin, end, _ := strings.Cut(tt.want, "*")
		if got := log.String(); strings.Contains(w.Body.String(), "no row") || (got == "") != (tt.want == "") || !strings.Contains(got, begin) || !strings.Contains(got, end) {
			t.Errorf("%v: log %q, want %q; answer %q", tt.err, got, tt.want, w.Body)
		}
	}
}
