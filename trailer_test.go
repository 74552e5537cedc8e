package nextrush

import (
	"io"
	"net/http"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
)

// A client that finds one refuses the trailer, and with it the answer.
func TestControlCharactersInATrailerAreSentAsSpaces(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error {
		c.SetHeader("Trailer", "X-Sum")
		if err := c.Stream("text/plain", &io.LimitedReader{R: zeros{}, N: 1 << 16}); err != nil {
			return err
		}
		c.SetHeader("X-Sum", "a\x00b")
		return nil
	})
	server := apptest.Serve(app)
	defer server.Close()
	r, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); n != 1<<16 || err != nil || r.Trailer.Get("X-Sum") != "a b" {
		t.Errorf("%d bytes, %v, trailer %q", n, err, r.Trailer)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
