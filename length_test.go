package nextrush

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
)

type page struct{}

func (page) Render(w io.Writer, _ string, data any, _ *Context) error {
	_, err := io.WriteString(w, data.(string))
	return err
}

// What is in hand has a length, for GET and HEAD the same; what goes in pieces has none.
func TestAnswersSayTheirLength(t *testing.T) {
	for _, size := range []int{0, 1, autoLength - 1, autoLength, autoLength + 1, 4096, 4097, 100_000} {
		body := strings.Repeat("x", size)
		app := New(Options{Renderer: page{}})
		for path, h := range map[string]Handler{
			"/text":   func(c *Context) error { return c.Text(body) },
			"/html":   func(c *Context) error { return c.HTML(body) },
			"/json":   func(c *Context) error { return c.JSON(body) },
			"/xml":    func(c *Context) error { return c.XML(body) },
			"/csv":    func(c *Context) error { return c.CSV([][]string{{body}}, "a.csv") },
			"/blob":   func(c *Context) error { return c.Send([]byte(body)) },
			"/render": func(c *Context) error { return c.Render("", body) },
			"/error":  func(c *Context) error { return NewError(http.StatusConflict, body) },
			"/fail":   func(c *Context) error { return c.Fail(http.StatusConflict, body) },
			"/held":   func(c *Context) error { c.SetWriter(struct{ http.ResponseWriter }{c.Writer()}); return c.Text(body) },
		} {
			app.Get(path, h)
		}
		app.NotFound(text(body))
		for _, http2 := range []bool{false, true} {
			ts := httptest.NewUnstartedServer(app)
			ts.EnableHTTP2 = http2
			ts.StartTLS()
			for _, path := range []string{"/text", "/html", "/json", "/xml", "/csv", "/blob", "/render", "/error", "/fail", "/held", "/none"} {
				var lengths []int64
				for _, method := range []string{"GET", "HEAD"} {
					r, _ := http.NewRequest(method, ts.URL+path, nil)
					res, err := ts.Client().Do(r)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					lengths = append(lengths, res.ContentLength)
					if err != nil || method == "GET" && res.ContentLength != int64(len(got)) || res.TransferEncoding != nil {
						t.Errorf("HTTP/2 %t, %s %s of %d: length %d, %v, got %d, %v", http2, method, path, size, res.ContentLength, res.TransferEncoding, len(got), err)
					}
				}
				if lengths[0] != lengths[1] && !(size == 0 && lengths[0] == 0 && lengths[1] == -1) { // net/http knows no HEAD of nothing
					t.Errorf("HTTP/2 %t, %s of %d: %d", http2, path, size, lengths)
				}
			}
			ts.Close()
		}
	}
}

func TestAnswersWithoutALength(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for name, h := range map[string]Handler{
		"stream":        func(c *Context) error { return c.Stream("text/plain", strings.NewReader(long)) },
		"trailer":       func(c *Context) error { c.SetHeader("Trailer", "Sum"); return c.SetHeader("X", "y").Text(long) },
		"the program's": func(c *Context) error { return c.SetHeader("Content-Length", strconv.Itoa(len(long))).Text(long) },
		"not modified": func(c *Context) error {
			if err := c.Status(304).Text(long); !errors.Is(err, http.ErrBodyNotAllowed) {
				return err
			}
			return nil
		},
	} {
		app := New()
		app.Get("/", h)
		ts := apptest.Serve(app)
		res, err := http.Get(ts.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || (name == "the program's") != (res.ContentLength == int64(len(long))) || name != "not modified" && len(got) != len(long) {
			t.Errorf("%s: %d, got %d, %v", name, res.ContentLength, len(got), err)
		}
		res.Body.Close()
		ts.Close()
	}
}
