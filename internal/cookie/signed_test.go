package cookie

import (
	"bytes"
	"net/http"
	"testing"
)

// FuzzOpen: whatever comes, only what was signed is taken, and in one form alone.
func FuzzOpen(f *testing.F) {
	secret := bytes.Repeat([]byte("k"), 32)
	f.Add("user", "ada")
	f.Add("user", Sign(secret, "user", "ada"))
	f.Add("", ".")
	f.Add("a", "YQ.YQ")
	f.Fuzz(func(t *testing.T, name, text string) {
		if value, ok := Open(secret, name, text); ok && Sign(secret, name, value) != text {
			t.Errorf("%q is taken for %q", text, value)
		}
		signed := Sign(secret, name, text)
		if value, ok := Open(secret, name, signed); !ok || value != text {
			t.Errorf("%q comes back as %q, %t", text, value, ok)
		}
		if (&http.Cookie{Name: "x", Value: signed}).Valid() != nil {
			t.Errorf("%q cannot be in a cookie", signed)
		}
		if _, ok := Open(secret, name+"x", signed); ok {
			t.Errorf("%q is taken for another name", signed)
		}
	})
}
