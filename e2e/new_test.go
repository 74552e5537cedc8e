package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// newProject has the command make a project of a kind, which go commands then build by
// this repository.
func newProject(t *testing.T, kind string) (dir, command string) {
	t.Helper()
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	command = buildPackage(t, "github.com/nextrush/nextrush/cmd/nextrush")
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	dir = t.TempDir()
	shell(t, dir, fmt.Sprintf("%q new -replace %q -kind %s example.com/shop", command, checkout, kind))
	return filepath.Join(dir, "shop"), command
}

// generate builds a new project.
func generate(t *testing.T, kind string) string {
	t.Helper()
	dir, _ := newProject(t, kind)
	shell(t, dir, "go build -o ../program .")
	return filepath.Join(dir, "../program")
}

// TestANewProjectsPageWorks uses the page as it is made, under middleware.Production and
// over plain HTTP.
func TestANewProjectsPageWorks(t *testing.T) {
	server := &program{t: t, bin: generate(t, "chat")}
	server.start()
	ctx := browser(t)
	run(t, ctx, "start", log.Enable(), network.Enable())
	said := complaints(ctx)
	run(t, ctx, "the page", chromedp.Navigate("http://"+server.addr), sees("h1", "shop"), sees("#state", "connected"),
		chromedp.SendKeys("#name", "Ann"), chromedp.SendKeys("#text", "<b>hello</b>\r"), sees("#log", "<b>hello</b>"))
	inspect(t, ctx, "new")
	want := []string{"#name", "#text", "#send"}
	if reached := tab(t, ctx, len(want)); !slices.Equal(reached, want) {
		t.Errorf("Tab reaches %q, want %q", reached, want)
	}
	for _, s := range said() {
		t.Errorf("the browser says %s", s)
	}
	server.stop()
	run(t, ctx, "no server", sees("#state", "no connection"), chromedp.SendKeys("#text", "later\r"))
	server.start()
	run(t, ctx, "it comes back", sees("#state", "connected"), sees("#log", "later"))
}

// TestANewProjectsFormWorks writes into the guest book.
func TestANewProjectsFormWorks(t *testing.T) {
	server := &program{t: t, bin: generate(t, "pages")}
	server.start()
	ctx := browser(t)
	run(t, ctx, "start", log.Enable(), network.Enable())
	said := complaints(ctx)
	run(t, ctx, "the form", chromedp.Navigate("http://"+server.addr), sees("h1", "Guest book"),
		chromedp.SendKeys("[name=name]", "Ann"), chromedp.SendKeys("[name=text]", "<b>hello</b>\r"), chromedp.WaitVisible("[role=status]"))
	run(t, ctx, "thanks", sees("[role=status]", "Thank you, Ann!"), sees("li", "<b>hello</b>"))
	inspect(t, ctx, "new-pages")
	for _, s := range said() {
		t.Errorf("the browser says %s", s)
	}
}
