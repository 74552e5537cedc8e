package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/freeport"
)

// ported runs a program of a page for those who come from elsewhere, in a folder of its own.
// It listens on the address that it returns instead of the one that it has in the page.
func ported(t *testing.T, dir, program, listens string) (addr string) {
	t.Helper()
	addr = freeport.Address(t)
	source := filepath.Join(t.TempDir(), "main.go")
	write(t, source, adapt(t, program, `"`+listens+`"`, `"`+addr+`"`))
	place, err := filepath.Abs("../examples/docs/ported/main.go")
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{place: source}})
	if err != nil {
		t.Fatal(err)
	}
	overlay, bin := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(t.TempDir(), "ported")
	write(t, overlay, string(list))
	build := exec.Command("go", "build", "-overlay", overlay, "-o", bin, "./examples/docs/ported")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(bin)
	run.Dir = dir
	launch(t, addr, run)
	return addr
}

// guest is a browser, or without cookies a program.
type guest struct {
	t      *testing.T
	addr   string
	client http.Client
}

func (v *guest) ask(method, target, form string, header ...string) (status int, location, body string) {
	v.t.Helper()
	r, err := http.NewRequest(method, "http://"+v.addr+target, strings.NewReader(form))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), strings.TrimSpace(string(text))
}

// wants asks, and compares the status with what the answer leads to or says.
func (v *guest) wants(status int, said, method, target, form string, header ...string) {
	v.t.Helper()
	got, location, body := v.ask(method, target, form, header...)
	if got != status || location+body != said {
		v.t.Errorf("%s %s: %d %s%s, want %d %s", method, target, got, location, body, status, said)
	}
}

func visit(t *testing.T, addr string) *guest {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &guest{t, addr, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func TestPortedExpressProgram(t *testing.T) {
	addr := ported(t, t.TempDir(), block(t, "coming-from-express.md", "go"), ":3000")
	stranger, ann := visit(t, addr), visit(t, addr)

	for _, target := range []string{"/admin", "/admin/", "/admin/report", "/admin/nowhere", "/Admin/report", "//admin/report", "/x/../admin/report", "/admin%2Freport", "/admin/items"} {
		for _, method := range []string{"GET", "POST", "DELETE", "HEAD"} {
			stranger.wants(302, "/login", method, target, "")
		}
	}
	stranger.wants(404, "nothing at /nowhere?a=1", "GET", "/nowhere?a=1", "")

	ann.wants(302, "/login", "POST", "/login", "name=ann&password=guess")
	ann.wants(200, `[{"kind":"error","text":"wrong password"}]`, "GET", "/login", "")
	ann.wants(200, "[]", "GET", "/login", "")
	ann.wants(403, "refused: 403", "POST", "/login", "name=ann&password=secret", "Sec-Fetch-Site", "cross-site")
	ann.wants(302, "/admin", "POST", "/login", "name=ann&password=secret", "Sec-Fetch-Site", "same-origin")
	ann.wants(200, `{"flash":[{"kind":"info","text":"welcome"}],"user":"ann"}`, "GET", "/admin", "")

	ann.wants(403, "refused: 403", "POST", "/admin/items", "item[name]=pen", "Origin", "https://evil.example")
	ann.wants(302, "/admin", "POST", "/admin/items", "item[name]=pen&item[tags][]=new&item[tags][]=blue")
	ann.wants(422, "refused: 422", "POST", "/admin/items", "item[tags][]=new")
	ann.wants(200, `{"flash":[{"kind":"info","text":"added pen"}],"user":"ann"}`, "GET", "/admin", "")
	ann.wants(200, "1 items", "GET", "/admin/report", "")

	stranger.wants(401, "refused: 401", "GET", "/items", "", "Host", "api.example.com")
	stranger.wants(200, `[{"name":"pen","tags":["new","blue"]}]`, "GET", "/items", "", "Host", "api.example.com", "Authorization", "Bearer key")
	stranger.wants(404, "nothing at /items", "GET", "/items", "")
	stranger.wants(200, "shop of tea", "GET", "/", "", "Host", "tea.shop.example.com")

	ann.wants(302, "/login", "POST", "/admin/logout", "")
	ann.wants(302, "/login", "GET", "/admin/report", "")
}
