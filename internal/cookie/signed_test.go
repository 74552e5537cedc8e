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
	f.Add("user", sign(secret, "user", "ada"))
	f.Add("", ".")
	f.Add("a", "YQ.YQ")
	f.Fuzz(func(t *testing.T, name, text string) {
		if value, ok := open(secret, name, text); ok && sign(secret, name, value) != text {
			t.Errorf("%q is taken for %q", text, value)
		}
		signed := sign(secret, name, text)
		if value, ok := open(secret, name, signed); !ok || value != text {
			t.Errorf("%q comes back as %q, %t", text, value, ok)
		}
		if (&http.Cookie{Name: "x", Value: signed}).Valid() != nil {
			t.Errorf("%q cannot be in a cookie", signed)
		}
		if _, ok := open(secret, name+"x", signed); ok {
			t.Errorf("%q is taken for another name", signed)
		}
	})
}

func TestASignerOpensWhatAnyOfItsSecretsHasSigned(t *testing.T) {
	first, second := bytes.Repeat([]byte("a"), 32), bytes.Repeat([]byte("b"), 32)
	before, _ := NewSigner([][]byte{first})
	after, _ := NewSigner([][]byte{second, first})
	signed, err := before.Sign(&http.Cookie{Name: "user", Value: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := after.Open("user", []string{"planted", signed.Value}); !ok || value != "ada" {
		t.Errorf("%q, %t", value, ok)
	}
	if signed, _ = after.Sign(signed); signed.Path != "/" {
		t.Errorf("%+v", signed)
	}
	if _, ok := before.Open("user", []string{signed.Value}); ok {
		t.Error("the old secret still signs")
	}
}
