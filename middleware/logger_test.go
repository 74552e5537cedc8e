package middleware_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestLoggerWritesOneLineWithTheFinalStatus(t *testing.T) {
	for target, want := range map[string]string{
		"/":            "status=200",
		"/nowhere":     "status=404",
		"/a%0aforged=": `path="/a\nforged="`,
	} {
		var out bytes.Buffer
		send("GET", target, nil, middleware.Logger(middleware.LoggerOptions{Logger: slog.New(slog.NewTextHandler(&out, nil))}))
		if line := out.String(); !strings.Contains(line, want) || strings.Count(line, "\n") != 1 {
			t.Errorf("%s: log %q, want %s", target, line, want)
		}
	}
}

func TestLoggerHasALevelForEachKindOfStatus(t *testing.T) {
	for status, want := range map[int]slog.Level{
		200: slog.LevelInfo, 304: slog.LevelInfo, 404: slog.LevelWarn, 500: slog.LevelError,
		426: slog.LevelInfo, // how our client asks whether an upgrade would be taken
	} {
		var out bytes.Buffer
		send("GET", "/", nil, middleware.Logger(middleware.LoggerOptions{Logger: slog.New(slog.NewTextHandler(&out, nil))}),
			func(c *nextrush.Context) error { return c.Status(status).Text("") })
		if line := out.String(); !strings.Contains(line, "level="+want.String()) {
			t.Errorf("%d: log %q, want %s", status, line, want)
		}
	}
}

func TestLoggerHasTheErrorAndWhatAnsweredIt(t *testing.T) {
	for name, tt := range map[string]struct {
		use  []nextrush.Handler
		h    nextrush.Handler
		want string
	}{
		"an error":        {nil, func(*nextrush.Context) error { return errors.New("database gone") }, `status=500 bytes=6 * error="database gone"`},
		"the client's":    {nil, func(*nextrush.Context) error { return nextrush.NewError(404) }, `status=404 bytes=6 * error="404 Not Found"`},
		"no error":        {nil, text("ok"), `status=200 bytes=2 *`},
		"a panic":         {[]nextrush.Handler{middleware.Recover()}, func(*nextrush.Context) error { panic("oh") }, `status=500 bytes=6 * error="panic: oh"`},
		"without Recover": {nil, func(*nextrush.Context) error { panic("oh") }, `status=500 bytes=0 * error="a handler panicked"`},
		"held back": {[]nextrush.Handler{middleware.ETag()}, func(c *nextrush.Context) error {
			c.Text("half of it")
			return errors.New("database gone")
		}, `status=500 bytes=6 * error="database gone"`},
		"after the answer": {nil, func(c *nextrush.Context) error {
			c.Text("half")
			return errors.New("database gone")
		}, `status=200 bytes=4 * error="database gone"`},
	} {
		var out bytes.Buffer
		app := nextrush.New(nextrush.Options{
			Logger: slog.New(slog.DiscardHandler),
			ErrorHandler: func(c *nextrush.Context, err error) {
				if c.StatusCode() != 0 {
					panic(http.ErrAbortHandler)
				}
				c.Status(nextrush.StatusOf(err)).Text("custom")
			},
		})
		app.Use(middleware.Logger(middleware.LoggerOptions{Logger: slog.New(slog.NewTextHandler(&out, nil))}))
		app.Use(tt.use)
		app.Get("/", tt.h)
		func() {
			defer func() { recover() }()
			ask(app, "/")
		}()
		begin, end, _ := strings.Cut(tt.want, "*")
		if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, begin) || !strings.Contains(line, end) {
			t.Errorf("%s: log %q, want %s", name, line, tt.want)
		}
	}
}

func TestLoggerAddsAttributes(t *testing.T) {
	var out bytes.Buffer
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Logger(middleware.LoggerOptions{
		Logger: slog.New(slog.NewTextHandler(&out, nil)),
		Attrs: func(c *nextrush.Context, err error) []slog.Attr {
			user, _ := nextrush.Value[string](c, "user")
			return []slog.Attr{slog.String("user", user), slog.Bool("failed", err != nil)}
		},
	}))
	app.Get("/:user", func(c *nextrush.Context) error {
		c.Set("user", c.Param("user"))
		if c.Param("user") == "eve" {
			return nextrush.NewError(403)
		}
		return c.NoContent()
	})
	for user, want := range map[string]string{"ada": "user=ada failed=false", "eve": "user=eve failed=true"} {
		out.Reset()
		if ask(app, "/"+user); !strings.Contains(out.String(), want) {
			t.Errorf("%s: %q", user, &out)
		}
	}
}

func ExampleLogger() {
	app := nextrush.New()
	app.Use(middleware.RequestID(), middleware.Logger(), middleware.Recover(), middleware.CORS())
}
