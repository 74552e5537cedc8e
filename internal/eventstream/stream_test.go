package eventstream

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// deadlines is a writer that notes its write deadlines, as what is left until then; -1: none.
type deadlines struct {
	*httptest.ResponseRecorder
	left []time.Duration
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	left := time.Until(t)
	if t.IsZero() {
		left = -1
	}
	d.left = append(d.left, left)
	return nil
}

// With HTTP/1 the deadline is renewed now and then, and gone when the stream is. HTTP/2
// ends a stream whose deadline passes while it is at rest, so that is set for each write.
func TestWriteDeadlines(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		version int
		want    []time.Duration
	}{
		{1, []time.Duration{10 * s, 10 * s, -1}},
		{2, []time.Duration{10 * s, -1, 10 * s, -1, 10 * s, -1, 10 * s, -1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.ProtoMajor = tt.version
			stream, err := Open(r, t.Context(), w, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, rest := range []time.Duration{s / 2, s / 2, 12 * s} {
				<-time.After(rest)
				if err := stream.Write(Comment("")); err != nil {
					t.Error(err)
				}
			}
			stream.Close()
			stream.Close()
			if got, want := fmt.Sprint(w.left), fmt.Sprint(tt.want); got != want {
				t.Errorf("HTTP/%d: %s, want %s", tt.version, got, want)
			}
		})
	}
}
