package auth_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
)

func TestWeakAndWrongKeysAreRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&rsaKey().PublicKey))})
	for _, test := range []struct {
		name string
		key  auth.Key
		want string
	}{
		{"none", auth.Key{}, "is not a key"},
		{"a string", auth.Key{Key: string(secret)}, "give []byte"},
		{"a short secret", auth.Key{Key: secret[:31]}, "32 random"},
		{"a PEM file as secret", auth.Key{Key: public}, "ParsePEM"},
		{"a secret too short for its hash", auth.Key{Key: secret, Algorithm: "HS512"}, "does not suit"},
		{"none as algorithm", auth.Key{Key: secret, Algorithm: "none"}, "does not suit"},
		{"an algorithm for another kind of key", auth.Key{Key: rsaKey(), Algorithm: "HS256"}, "does not suit"},
		{"an algorithm for another curve", auth.Key{Key: curveKey(elliptic.P256()), Algorithm: "ES512"}, "does not suit"},
		{"a short RSA key", auth.Key{Key: short}, "2048"},
		{"a curve without algorithm", auth.Key{Key: curveKey(elliptic.P224())}, "P-256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := nextrush.New().Register(auth.New(auth.Options{Keys: []auth.Key{test.key}}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestParsePEM(t *testing.T) {
	k, ec := rsaKey(), curveKey(elliptic.P256())
	for _, test := range []struct {
		kind string
		der  []byte
		ok   bool
	}{
		{"PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(edKey())), true},
		{"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k), true},
		{"EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)), true},
		{"PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&k.PublicKey)), true},
		{"CERTIFICATE", []byte("x"), false},
		{"PRIVATE KEY", []byte("x"), false},
	} {
		key, err := auth.ParsePEM("1", pem.EncodeToMemory(&pem.Block{Type: test.kind, Bytes: test.der}))
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.kind, err)
			continue
		}
		if test.ok {
			installed(t, auth.Options{Keys: []auth.Key{key}})
		}
	}
	if _, err := auth.ParsePEM("1", []byte("no PEM")); err == nil {
		t.Error("read what is no PEM")
	}
}
