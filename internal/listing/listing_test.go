package listing

import (
	"path/filepath"
	"slices"
	"testing"
)

var some = []Route{
	{Method: "GET", Path: "/users/:id", Middleware: 3, Source: "main.go:12"},
	{Method: "WS", Host: "a.example", Path: "/chat/:room", Namespace: "a.example/chat", Middleware: 10, Source: "main.go:7"},
}

func TestATableIsAlignedAndHasNoEmptyColumn(t *testing.T) {
	const want = "" +
		"METHOD  PATH                  NAMESPACE       MIDDLEWARE  SOURCE\n" +
		"GET     /users/:id                            3           main.go:12\n" +
		"WS      a.example/chat/:room  a.example/chat  10          main.go:7\n"
	if got := Table(some); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestRoutesAreReadAsTheyWereWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes")
	if err := Write(file, some); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file); err != nil || !slices.Equal(got, some) {
		t.Errorf("%v %v", got, err)
	}
}
