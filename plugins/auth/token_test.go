package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
)

// rsaKey is made once, as that takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func curveKey(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }

func edKey() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return must(k, err)
}

// installed returns a plugin that is installed.
func installed(t *testing.T, opts auth.Options) *auth.Plugin {
	t.Helper()
	a := auth.New(opts)
	if err := nextrush.New().Register(a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestIssuedTokensVerifyWithTheirKey(t *testing.T) {
	p256, ed := curveKey(elliptic.P256()), edKey()
	for _, test := range []struct {
		name         string
		sign, verify auth.Key
		alg          string
	}{
		{"secret", auth.Key{Key: secret}, auth.Key{Key: secret}, "HS256"},
		{"long secret", auth.Key{Key: append(secret, secret...), Algorithm: "HS512"}, auth.Key{Key: append(secret, secret...), Algorithm: "HS512"}, "HS512"},
		{"RSA", auth.Key{Key: rsaKey()}, auth.Key{Key: &rsaKey().PublicKey}, "RS256"},
		{"RSA-PSS", auth.Key{Key: rsaKey(), Algorithm: "PS384"}, auth.Key{Key: &rsaKey().PublicKey, Algorithm: "PS384"}, "PS384"},
		{"P-256", auth.Key{ID: "a", Key: p256}, auth.Key{ID: "a", Key: &p256.PublicKey}, "ES256"},
		{"P-384", auth.Key{Key: curveKey(elliptic.P384())}, auth.Key{}, "ES384"},
		{"P-521", auth.Key{Key: curveKey(elliptic.P521())}, auth.Key{}, "ES512"},
		{"Ed25519", auth.Key{ID: "b", Key: ed}, auth.Key{ID: "b", Key: ed.Public()}, "EdDSA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.verify.Key == nil {
				test.verify = test.sign
			}
			signer := installed(t, auth.Options{Keys: []auth.Key{test.sign}, Issuer: "us", Audience: "them"})
			verifier := installed(t, auth.Options{Keys: []auth.Key{test.verify}, Issuer: "us", Audience: "them"})
			token := issue(t, signer, auth.Principal{
				ID: "ann", Roles: []string{"admin"}, Permissions: []string{"posts:write"},
				Claims: map[string]any{"name": "Ann", "exp": 1, "iss": "evil", "nbf": 1 << 40, "scope": "all"},
			})
			user, err := verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if user.ID != "ann" || !user.HasRole("admin") || !user.Can("posts:write") || user.Can("all") || user.Claims["name"] != "Ann" {
				t.Errorf("got %+v", user)
			}
			if left := time.Until(user.ExpiresAt); left > 15*time.Minute || left < 14*time.Minute {
				t.Errorf("expires in %v", left)
			}
			parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
			if err != nil || parsed.Method.Alg() != test.alg {
				t.Errorf("%v, %v; want %s", parsed.Header, err, test.alg)
			}
		})
	}
}

// forge signs claims with any method, key and header.
func forge(method jwt.SigningMethod, key any, claims jwt.MapClaims, header ...any) string {
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	return must(token.SignedString(key))
}

func TestForgedTokensAreRefused(t *testing.T) {
	own, other, ed := rsaKey(), curveKey(elliptic.P256()), edKey()
	der := must(x509.MarshalPKIXPublicKey(&own.PublicKey))
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	a := installed(t, auth.Options{
		Keys:   []auth.Key{{ID: "rsa", Key: &own.PublicKey}, {ID: "hmac", Key: secret}, {ID: "ed", Key: ed}},
		Issuer: "us", Audience: "api",
	})
	claims := func(change ...any) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "ann", "iss": "us", "aud": "api", "exp": time.Now().Add(time.Hour).Unix()}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(c, change[i].(string))
			}
		}
		return c
	}
	hs256 := func(c jwt.MapClaims, header ...any) string {
		return forge(jwt.SigningMethodHS256, secret, c, append([]any{"kid", "hmac"}, header...)...)
	}
	good := hs256(claims())
	if _, err := a.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	hour := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
	for name, token := range map[string]string{
		"empty":                               "",
		"garbage":                             "a.b.c",
		"dots":                                strings.Repeat(".", 5000),
		"too long":                            good + strings.Repeat("A", 9000),
		"alg none":                            forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(), "kid", "hmac"),
		"alg none, no kid":                    forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()),
		"alg nOnE":                            segment(`{"alg":"nOnE","kid":"hmac"}`) + "." + parts[1] + ".",
		"alg is a list":                       segment(`{"alg":["HS256"],"kid":"hmac"}`) + "." + parts[1] + "." + parts[2],
		"alg missing":                         segment(`{"kid":"hmac"}`) + "." + parts[1] + "." + parts[2],
		"no signature":                        parts[0] + "." + parts[1] + ".",
		"signature cut":                       good[:len(good)-2],
		"payload changed":                     parts[0] + "." + segment(`{"sub":"root","iss":"us","aud":"api","exp":99999999999}`) + "." + parts[2],
		"key confusion: public key as secret": forge(jwt.SigningMethodHS256, public, claims(), "kid", "rsa"),
		"key confusion: DER as secret":        forge(jwt.SigningMethodHS256, der, claims(), "kid", "rsa"),
		"key confusion: modulus as secret":    forge(jwt.SigningMethodHS256, own.N.Bytes(), claims(), "kid", "rsa"),
		"key confusion: Ed25519 public as secret": forge(jwt.SigningMethodHS256, []byte(ed.Public().(ed25519.PublicKey)), claims(), "kid", "ed"),
		"empty secret":                       forge(jwt.SigningMethodHS256, []byte{}, claims(), "kid", "hmac"),
		"right key, another algorithm of it": forge(jwt.SigningMethodRS512, own, claims(), "kid", "rsa"),
		"right key, PSS for PKCS #1":         forge(jwt.SigningMethodPS256, own, claims(), "kid", "rsa"),
		"right secret, longer hash":          forge(jwt.SigningMethodHS512, secret, claims(), "kid", "hmac"),
		"kid of another key":                 forge(jwt.SigningMethodHS256, secret, claims(), "kid", "ed"),
		"kid unknown":                        forge(jwt.SigningMethodHS256, secret, claims(), "kid", "hmac2"),
		"kid missing":                        forge(jwt.SigningMethodHS256, secret, claims()),
		"kid empty":                          forge(jwt.SigningMethodHS256, secret, claims(), "kid", ""),
		"kid null":                           forge(jwt.SigningMethodHS256, secret, claims(), "kid", nil),
		"kid is a list":                      forge(jwt.SigningMethodHS256, secret, claims(), "kid", []string{"hmac"}),
		"kid is a path":                      forge(jwt.SigningMethodHS256, []byte{}, claims(), "kid", "../../../../dev/null"),
		"kid is SQL":                         forge(jwt.SigningMethodHS256, []byte("x"), claims(), "kid", "x' UNION SELECT 'x"),
		"key in the header":                  forge(jwt.SigningMethodES256, other, claims(), "jwk", map[string]any{"kty": "EC"}, "jku", "https://evil.example/keys"),
		"crit":                               hs256(claims(), "crit", []string{"exp"}),
		"expired":                            hs256(claims("exp", hour(-1))),
		"no exp":                             hs256(claims("exp", nil)),
		"exp is a string":                    hs256(claims("exp", "99999999999")),
		"not yet valid":                      hs256(claims("nbf", hour(1))),
		"other issuer":                       hs256(claims("iss", "them")),
		"no issuer":                          hs256(claims("iss", nil)),
		"other audience":                     hs256(claims("aud", "web")),
		"no audience":                        hs256(claims("aud", nil)),
		"no subject":                         hs256(claims("sub", nil)),
		"empty subject":                      hs256(claims("sub", "")),
		"subject is a number":                hs256(claims("sub", 7)),
	} {
		t.Run(name, func(t *testing.T) {
			user, err := a.Verify(t.Context(), token)
			if user != nil || !errors.Is(err, auth.ErrToken) {
				t.Errorf("got %+v, %v", user, err)
			}
		})
	}
}

func TestTokensExpireOnTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := withSecret()
		a := installed(t, opts)
		opts.Leeway = time.Minute
		lenient := installed(t, opts)
		token := issue(t, a, auth.Principal{ID: "ann"})
		verify := func(a *auth.Plugin) error { _, err := a.Verify(t.Context(), token); return err }
		time.Sleep(15*time.Minute - time.Nanosecond)
		if err := verify(a); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Nanosecond)
		if err := verify(a); !errors.Is(err, jwt.ErrTokenExpired) {
			t.Errorf("got %v", err)
		}
		if err := verify(lenient); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if err := verify(lenient); !errors.Is(err, jwt.ErrTokenExpired) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClaimsOfOtherIssuers(t *testing.T) {
	a := installed(t, withSecret())
	token := forge(jwt.SigningMethodHS256, secret, jwt.MapClaims{
		"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "roles": []any{"admin", 7, ""}, "permissions": "no list",
		"scope": "posts:read  posts:write",
	})
	user, err := a.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(user.Roles, []string{"admin"}) || !reflect.DeepEqual(user.Permissions, []string{"posts:read", "posts:write"}) {
		t.Errorf("got %+v", user)
	}
}

func TestCheckRefusesAndChanges(t *testing.T) {
	broken := errors.New("database is away")
	opts := withSecret()
	opts.Check = func(_ context.Context, p *auth.Principal) error {
		switch p.ID {
		case "revoked":
			return auth.ErrToken
		case "unknown":
			return broken
		}
		p.Roles = append(p.Roles, "admin")
		return nil
	}
	a := installed(t, opts)
	verify := func(id string) (*auth.Principal, error) {
		return a.Verify(t.Context(), issue(t, a, auth.Principal{ID: id}))
	}
	if user, err := verify("ann"); err != nil || !user.HasRole("admin") {
		t.Errorf("got %+v, %v", user, err)
	}
	if user, err := verify("revoked"); user != nil || !errors.Is(err, auth.ErrToken) {
		t.Errorf("got %+v, %v", user, err)
	}
	if user, err := verify("unknown"); user != nil || !errors.Is(err, broken) || errors.Is(err, auth.ErrToken) {
		t.Errorf("got %+v, %v", user, err)
	}
}

func TestIssueNeedsAKeyThatSignsAndAnID(t *testing.T) {
	public := installed(t, auth.Options{Keys: []auth.Key{{Key: &rsaKey().PublicKey}}})
	if _, err := public.Issue(auth.Principal{ID: "ann"}); err == nil {
		t.Error("a public key has signed")
	}
	if _, err := installed(t, withSecret()).Issue(auth.Principal{}); err == nil {
		t.Error("a token without subject")
	}
}
