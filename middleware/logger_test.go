package middleware_test

import (
	"bytes"
	"log/slog"
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

func ExampleLogger() {
	app := nextrush.New()
	app.Use(middleware.RequestID(), middleware.Logger(), middleware.Recover(), middleware.CORS())
}
