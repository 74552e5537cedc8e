package nextrush

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func key(b string) []byte { return bytes.Repeat([]byte(b), 32) }

// setCookie returns the cookie that Set makes.
func setCookie(t *testing.T, s *SignedCookies, cookie *http.Cookie) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Set(newContext(New(), w, httptest.NewRequest("GET", "/", nil)), cookie); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func getCookie(s *SignedCookies, name string, cookies ...*http.Cookie) (string, bool) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	return s.Get(newContext(New(), nil, r), name)
}

func TestSignedCookiesComeBackAsTheyWere(t *testing.T) {
	s := NewSignedCookies(key("a"))
	for _, value := range []string{"ada", "", "a.b=c; d", "\x00\xff\n", "жук", strings.Repeat("x", 2900)} {
		got, ok := getCookie(s, "user", setCookie(t, s, &http.Cookie{Name: "user", Value: value}))
		if !ok || got != value {
			t.Errorf("%q comes back as %q, %t", value, got, ok)
		}
	}
	made := setCookie(t, s, &http.Cookie{Name: "__Host-user", Value: "ada", HttpOnly: true, MaxAge: 60})
	if made.Path != "/" || !made.Secure || !made.HttpOnly || made.MaxAge != 60 {
		t.Errorf("%+v", made)
	}
}

func TestSignedCookiesRefuseWhatWasChanged(t *testing.T) {
	s := NewSignedCookies(key("a"))
	good := setCookie(t, s, &http.Cookie{Name: "user", Value: "ada"}).Value
	value, sum, _ := strings.Cut(good, ".")
	for name, forged := range map[string]string{
		"nothing":        "",
		"no MAC":         value,
		"an empty MAC":   value + ".",
		"half a MAC":     value + "." + sum[:20],
		"another value":  "YmVh." + sum,
		"no base64":      "ada." + sum,
		"plain":          "ada",
		"other bits":     good[:len(good)-1] + "_",
		"a longer MAC":   good + "AAAA",
		"another key's":  setCookie(t, NewSignedCookies(key("b")), &http.Cookie{Name: "user", Value: "ada"}).Value,
		"another name's": setCookie(t, s, &http.Cookie{Name: "use", Value: "r=ada"}).Value,
	} {
		if got, ok := getCookie(s, "user", &http.Cookie{Name: "user", Value: forged}); ok || got != "" {
			t.Errorf("%s: taken for %q", name, got)
		}
	}
	if got, _ := getCookie(s, "user", &http.Cookie{Name: "user", Value: "forged"}, &http.Cookie{Name: "user", Value: good}); got != "ada" {
		t.Errorf("a planted cookie hides ours: %q", got)
	}
}

func TestSecretsOfSignedCookiesChange(t *testing.T) {
	old := NewSignedCookies(key("a"))
	rotated := NewSignedCookies(key("b"), key("a"))
	if _, ok := getCookie(rotated, "user", setCookie(t, old, &http.Cookie{Name: "user", Value: "ada"})); !ok {
		t.Error("the old secret's are refused")
	}
	if _, ok := getCookie(old, "user", setCookie(t, rotated, &http.Cookie{Name: "user", Value: "ada"})); ok {
		t.Error("the old secret still signs")
	}
}

func TestSignedCookiesThatBrowsersWouldDrop(t *testing.T) {
	s := NewSignedCookies(key("a"))
	for _, bad := range []*http.Cookie{
		{Name: "a b", Value: "x"}, {Name: "", Value: "x"}, {Name: "big", Value: strings.Repeat("x", 3100)},
		{Name: "__Host-x", Path: "/here"}, {Name: "x", Path: "here"},
	} {
		w := httptest.NewRecorder()
		if err := s.Set(newContext(New(), w, httptest.NewRequest("GET", "/", nil)), bad); err == nil || len(w.Header()) > 0 {
			t.Errorf("%.20v: %v %v", bad.Name, err, w.Header())
		}
	}
}

func TestSecretsOfSignedCookiesAreLongEnough(t *testing.T) {
	for _, secrets := range [][][]byte{nil, {nil}, {key("a")[:31]}, {key("a"), []byte("short")}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q: no panic", secrets)
				}
			}()
			NewSignedCookies(secrets...)
		}()
	}
}

func ExampleSignedCookies() {
	secret := bytes.Repeat([]byte("x"), 32) // of crypto/rand, from the program's configuration
	cookies := NewSignedCookies(secret)
	app := New()
	app.Post("/theme", func(c *Context) error {
		if err := cookies.Set(c, &http.Cookie{Name: "theme", Value: "dark", HttpOnly: true}); err != nil {
			return err
		}
		return c.NoContent()
	})
	app.Get("/theme", func(c *Context) error {
		theme, ok := cookies.Get(c, "theme")
		return c.Text(fmt.Sprint(theme, " ", ok))
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/theme", nil))
	r := httptest.NewRequest("GET", "/theme", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: dark true
}
