package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/listing"
)

// program makes a module of its own with that main.go, and returns its folder.
func program(t *testing.T, text string) string {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	dir := t.TempDir()
	save(t, filepath.Join(dir, "go.sum"), string(sums))
	save(t, filepath.Join(dir, "go.mod"), "module example.com/shop\n\ngo 1.26\n\nrequire "+framework+" v0.0.0\n\nreplace "+framework+" => "+filepath.ToSlash(checkout)+"\n")
	save(t, filepath.Join(dir, "main.go"), text)
	return dir
}

const shop = `package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

func main() {
	fmt.Println("hello")
	pass := func(c *nextrush.Context) error { return c.Next() }
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(pass)
	app.Get("/", pass, func(c *nextrush.Context) error { return c.Text("hi") }).Named("home")
	chat := func(*websocket.Socket, *nextrush.Context) error { return nil }
	app.WS("/echo", chat)
	app.Namespace("/chat", pass).WS("/:room", chat)
	app.Host("admin.example").Namespace("/log").WS("/", chat)
	app.Mount("/files", http.NotFoundHandler())
	sub := nextrush.New()
	sub.EnableWebSocket(websocket.Options{})
	sub.Namespace("/live").WS("/", chat)
	app.Mount("/sub", sub)
	log.Fatal(app.Listen("nonsense"))
}
`

func TestRoutesAreListedWithWhatTheyAreFor(t *testing.T) {
	dir := program(t, shop)
	out, problems, err := invoke(t, "", "routes", dir)
	if err != nil || !strings.Contains(problems, "hello") {
		t.Fatalf("%v\n%s", err, problems)
	}
	var got []string
	for line := range strings.Lines(out) {
		line = line[:strings.LastIndex(line, "  ")] // the file
		got = append(got, strings.TrimRight(line, " "))
	}
	const want = `METHOD  PATH               NAMESPACE  MIDDLEWARE  NAME
GET     /                             2           home
WS      /echo                         1
WS      /chat/:room        /chat      2
WS      admin.example/log  /log       1
ANY     /files                        1
ANY     /files/*mounted               1
WS      /sub/live          /sub/live  1`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out, _, err = invoke(t, "", "routes", "-json", dir)
	var all []listing.Route
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 7 {
		t.Fatalf("%v\n%s", err, out)
	}
	first := listing.Route{Method: "GET", Path: "/", Name: "home", Middleware: 2, Source: all[0].Source}
	if err != nil || all[0] != first || !strings.HasSuffix(first.Source, "main.go:18") {
		t.Errorf("%v %+v", err, all[0])
	}
}

func TestAProgramThatListsNoRoutesIsToldWhy(t *testing.T) {
	const start = "package main\n\nimport \"os\"\n\nfunc main() {\n\tprintln(\"started\", len(os.Args))\n\t"
	for text, want := range map[string][2]string{
		start + "undefined()\n}\n": {"main.go:7:2: undefined: undefined", "cannot be built"},
		start + "}\n":              {"started 1", "ended without calling App.Listen"},
		start + "os.Exit(3)\n}\n":  {"started 1", "ended before it called App.Listen: exit status 3"},
		start + "for {\n\t}\n}\n":  {"started 1", "did not call App.Listen within"},
	} {
		out, problems, err := invoke(t, "", "routes", "-timeout", "2s", program(t, text))
		if err == nil || out != "" || !strings.Contains(problems, want[0]) || !strings.Contains(err.Error(), want[1]) {
			t.Errorf("%s\n%v\n%s", text, err, problems)
		}
	}
}
