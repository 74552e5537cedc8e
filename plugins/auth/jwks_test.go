package auth_test

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
)

// issuer is a JWKS endpoint without a network.
type issuer struct {
	keys  atomic.Pointer[string] // the answer; nil: it cannot be reached
	asked atomic.Int32
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	body := i.keys.Load()
	if body == nil {
		return nil, errors.New("no route to host")
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(*body)), Request: r}, nil
}

// publish takes pairs of a kid and a key.
func (i *issuer) publish(pairs ...any) {
	var set jose.JSONWebKeySet
	for n := 0; n < len(pairs); n += 2 {
		set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: pairs[n].(string), Key: pairs[n+1]})
	}
	body := string(must(json.Marshal(set)))
	i.keys.Store(&body)
}

func (i *issuer) options() auth.Options {
	return auth.Options{JWKS: "https://id.example/keys", Issuer: "id", Audience: "api", HTTPClient: &http.Client{Transport: i}}
}

func issuedBy(method jwt.SigningMethod, key any, kid string) string {
	return forge(method, key, jwt.MapClaims{"sub": "ann", "iss": "id", "aud": "api", "exp": time.Now().Add(24 * time.Hour).Unix()}, "kid", kid)
}

func TestKeysOfAnIssuerAreFetchedAndKept(t *testing.T) {
	first, second := edKey(), edKey()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		a := installed(t, id.options())
		steps := []struct {
			name  string
			do    func()
			kid   string
			ok    bool
			asked int32 // since the beginning
		}{
			{"not reachable", func() {}, "1", false, 1},
			{"reachable, but asked a moment ago", func() { id.publish("1", first.Public()) }, "1", false, 1},
			{"fetched", func() { time.Sleep(time.Minute) }, "1", true, 2},
			{"kept", func() {}, "1", true, 2},
			{"unknown, asked a moment ago", func() {}, "2", false, 2},
			{"unknown, asked again", func() { time.Sleep(time.Minute); id.publish("1", first.Public(), "2", second.Public()) }, "2", true, 3},
			{"unknown for good", func() { time.Sleep(time.Minute) }, "3", false, 4},
			{"still fresh", func() { time.Sleep(59 * time.Minute) }, "2", true, 4},
			{"withdrawn, seen after an hour", func() { time.Sleep(time.Minute); id.publish("2", second.Public()) }, "1", false, 5},
			{"not reachable, the old ones serve", func() { time.Sleep(2 * time.Hour); id.keys.Store(nil) }, "2", true, 6},
		}
		for _, step := range steps {
			step.do()
			key := first
			if step.kid == "2" {
				key = second
			}
			_, err := a.Verify(t.Context(), issuedBy(jwt.SigningMethodEdDSA, key, step.kid))
			if (err == nil) != step.ok {
				t.Errorf("%s: %v", step.name, err)
			}
			if n := id.asked.Load(); n != step.asked {
				t.Errorf("%s: asked %d times, want %d", step.name, n, step.asked)
			}
		}
	})
}

func TestAfterAFailureTheIssuerIsAskedAgainSoon(t *testing.T) {
	key := edKey()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		a := installed(t, id.options())
		verify := func() error {
			_, err := a.Verify(t.Context(), issuedBy(jwt.SigningMethodEdDSA, key, "1"))
			return err
		}
		verify()
		id.publish("1", key.Public())
		time.Sleep(time.Second)
		if err := verify(); err != nil {
			t.Errorf("a second later: %v", err)
		}

		id.keys.Store(nil)
		id.asked.Store(0)
		a = installed(t, id.options())
		for range 600 { // ten minutes
			if verify() == nil {
				t.Fatal("verified without a key")
			}
			time.Sleep(time.Second)
		}
		if n := id.asked.Load(); n < 10 || n > 20 {
			t.Errorf("asked %d times in ten minutes", n)
		}
	})
}

func TestAKeyIsChosenByItsIDAndAlgorithm(t *testing.T) {
	rsa, ed, other := rsaKey(), edKey(), edKey()
	curve := curveKey(elliptic.P256())
	for _, kid := range []string{"x", ""} {
		var id issuer
		id.publish(kid, &rsa.PublicKey, kid, ed.Public(), kid, &curve.PublicKey, kid, other.Public())
		opts := id.options()
		opts.Keys = []auth.Key{{ID: kid, Key: secret}}
		a := installed(t, opts)
		for name, token := range map[string]string{
			"RSA":             issuedBy(jwt.SigningMethodRS256, rsa, kid),
			"Ed25519":         issuedBy(jwt.SigningMethodEdDSA, ed, kid),
			"another Ed25519": issuedBy(jwt.SigningMethodEdDSA, other, kid),
			"P-256":           issuedBy(jwt.SigningMethodES256, curve, kid),
			"a secret":        issuedBy(jwt.SigningMethodHS256, secret, kid),
		} {
			if _, err := a.Verify(t.Context(), token); err != nil {
				t.Errorf("kid %q, %s: %v", kid, name, err)
			}
		}
		for name, token := range map[string]string{
			"another algorithm": issuedBy(jwt.SigningMethodPS256, rsa, kid),
			"another key":       issuedBy(jwt.SigningMethodEdDSA, edKey(), kid),
			"key confusion":     issuedBy(jwt.SigningMethodHS256, []byte(ed.Public().(ed25519.PublicKey)), kid),
		} {
			if _, err := a.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) {
				t.Errorf("kid %q, %s: %v", kid, name, err)
			}
		}
	}
}

func TestAnIssuerThatIsAwayIsA503(t *testing.T) {
	var id issuer
	c := nextrushtest.New(t, appWith(t, auth.New(id.options())))
	c.Do(request("GET", "/me", "Authorization", "Bearer "+issuedBy(jwt.SigningMethodEdDSA, edKey(), "1"))).WantStatus(503)
}

func TestManyUnknownKeysAskTheIssuerOnce(t *testing.T) {
	key := edKey()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish("1", key.Public())
		a := installed(t, id.options())
		for i := range 100 {
			token := issuedBy(jwt.SigningMethodEdDSA, key, fmt.Sprint("unknown", i))
			go a.Verify(t.Context(), token)
		}
		synctest.Wait()
		if n := id.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestOnlyPublicKeysForSignaturesAreUsed(t *testing.T) {
	ed := edKey()
	set := func(keys ...jose.JSONWebKey) string {
		return string(must(json.Marshal(jose.JSONWebKeySet{Keys: keys})))
	}
	good := jose.JSONWebKey{KeyID: "good", Key: ed.Public()}
	for _, test := range []struct {
		name, body string
		token      string
		ok         bool
	}{
		{"a good key", set(good), issuedBy(jwt.SigningMethodEdDSA, ed, "good"), true},
		{"a good key beside broken ones", `{"keys":[{"kty":"??"},7,{"kty":"RSA","n":"AQ","e":"AQ","kid":"x"},` + set(good)[9:], issuedBy(jwt.SigningMethodEdDSA, ed, "good"), true},
		{"a secret", set(good, jose.JSONWebKey{KeyID: "oct", Key: secret}), issuedBy(jwt.SigningMethodHS256, secret, "oct"), false},
		{"a private key", set(good, jose.JSONWebKey{KeyID: "private", Key: rsaKey()}), issuedBy(jwt.SigningMethodRS256, rsaKey(), "private"), false},
		{"a key for encryption", set(good, jose.JSONWebKey{KeyID: "enc", Key: &rsaKey().PublicKey, Use: "enc"}), issuedBy(jwt.SigningMethodRS256, rsaKey(), "enc"), false},
		{"an algorithm that does not suit", set(good, jose.JSONWebKey{KeyID: "x", Key: &rsaKey().PublicKey, Algorithm: "HS256"}), issuedBy(jwt.SigningMethodRS256, rsaKey(), "x"), false},
		{"another algorithm than the key's", set(good, jose.JSONWebKey{KeyID: "ps", Key: &rsaKey().PublicKey, Algorithm: "PS256"}), issuedBy(jwt.SigningMethodRS256, rsaKey(), "ps"), false},
		{"no keys", `{"keys":[]}`, issuedBy(jwt.SigningMethodEdDSA, ed, "good"), false},
		{"no JSON", `<html>`, issuedBy(jwt.SigningMethodEdDSA, ed, "good"), false},
		{"too long", strings.Repeat(" ", 2<<20) + set(good), issuedBy(jwt.SigningMethodEdDSA, ed, "good"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var id issuer
			id.keys.Store(&test.body)
			_, err := installed(t, id.options()).Verify(t.Context(), test.token)
			if (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
