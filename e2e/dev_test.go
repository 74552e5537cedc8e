package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush/internal/freeport"
)

// TestAPageReloadsItselfUnderDev: nobody loads it again after the first time.
func TestAPageReloadsItselfUnderDev(t *testing.T) {
	dir, command := newProject(t, "pages")
	addr := freeport.Address(t)
	launch(t, addr, exec.Command(command, "dev", "-addr", addr, dir))
	save := func(file, from, to string) {
		t.Helper()
		file = filepath.Join(dir, file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, adapt(t, string(text), from, to))
	}
	policy := func() string {
		t.Helper()
		res, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.Header.Get("Content-Security-Policy")
	}
	ctx := browser(t)
	run(t, ctx, "start", log.Enable(), network.Enable())
	said := complaints(ctx)
	run(t, ctx, "the page", chromedp.Navigate("http://"+addr), sees("h1", "Guest book"))
	if p := policy(); !strings.Contains(p, "script-src 'self';") {
		t.Errorf("the policy is %q", p)
	}

	save("views/home.html", "<button>Write", "<button>Sign")
	run(t, ctx, "another template", sees("button", "Sign"))
	save("public/style.css", "form {", "h1 { color: rgb(1, 2, 3); }\nform {")
	run(t, ctx, "another style", becomes(`getComputedStyle(document.querySelector("h1")).color === "rgb(1, 2, 3)"`))

	save("main.go", `"Guest book"`, `Guest book`)
	run(t, ctx, "a mistake", sees("h1", "The program cannot be built"), sees("pre", "main.go:"))
	inspect(t, ctx, "dev-mistake")
	save("main.go", `Guest book`, `"Visitors"`)
	run(t, ctx, "mended", sees("h1", "Visitors"), sees("button", "Sign"))

	const production, none = "middleware.Production()", `middleware.SecureHeaders(middleware.SecureHeadersOptions{
		ContentSecurityPolicy: "default-src 'none'; style-src 'self'; img-src data:",
	})`
	save("main.go", production, production+", "+none)
	save("main.go", `"Visitors"`, `"Strict"`)
	run(t, ctx, "a policy without scripts", sees("h1", "Strict"))
	if p := policy(); !strings.HasPrefix(p, "default-src 'none';") {
		t.Errorf("the policy is %q", p)
	}
	save("main.go", `"Strict"`, `"Still here"`)
	run(t, ctx, "it lets that of dev in", sees("h1", "Still here"))

	for _, s := range said() {
		if !strings.Contains(s, "503") { // the page with the mistake
			t.Errorf("the browser says %s", s)
		}
	}
}
