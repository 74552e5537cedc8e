package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/go-jose/go-jose/v4"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/oauth"
	"github.com/nextrush/nextrush/plugins/session"
)

const code = "the-code"

// provider is a small OpenID provider. Its fields say what it does otherwise.
type provider struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	asks url.Values // of the last authorization

	inBody   bool                             // takes the client's secret in the body alone
	claims   func(claims map[string]any)      // changes those of the token
	answer   func(query url.Values)           // changes the way back
	sign     *ecdsa.PrivateKey                // instead of key
	token    func(w http.ResponseWriter) bool // true: it has answered for the token
	userInfo map[string]any                   // nil: none
	down     atomic.Bool                      // everything is 503
	document func(document map[string]any)    // changes the discovery document
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newProvider(t *testing.T) *provider {
	p := &provider{key: newKey()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(p.userInfo)
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			w.WriteHeader(503)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) discovery(w http.ResponseWriter, r *http.Request) {
	document := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "end_session_endpoint": p.URL + "/logout?x=1",
		"id_token_signing_alg_values_supported": []string{"ES256"},
	}
	if p.inBody {
		document["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	}
	if p.document != nil {
		p.document(document)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(document)
}

// authorize is the page of the login, at which everybody agrees.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.asks = r.URL.Query()
	back, _ := url.Parse(p.asks.Get("redirect_uri"))
	query := url.Values{"state": {p.asks.Get("state")}, "code": {code}, "iss": {p.URL}}
	if p.answer != nil {
		p.answer(query)
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// exchange keeps to RFC 6749 §4.1.3 and RFC 7636 §4.6.
func (p *provider) exchange(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	id, secret, _ := r.BasicAuth()
	if p.inBody {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case p.token != nil && p.token(w):
		return
	case id != "shop" || secret != "secret":
		w.WriteHeader(401)
		return
	case r.FormValue("code") != code || r.FormValue("redirect_uri") != p.asks.Get("redirect_uri") || r.FormValue("grant_type") != "authorization_code",
		p.asks.Get("code_challenge_method") != "S256", base64.RawURLEncoding.EncodeToString(sum[:]) != p.asks.Get("code_challenge"):
		w.WriteHeader(400)
		w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": "ada", "aud": "shop", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"nonce": p.asks.Get("nonce"), "email": "ada@example.com",
	}
	if p.claims != nil {
		p.claims(claims)
	}
	key := p.key
	if p.sign != nil {
		key = p.sign
	}
	text, _ := json.Marshal(claims)
	json.NewEncoder(w).Encode(map[string]any{
		"access_token": "access", "token_type": "Bearer", "expires_in": 3600,
		"id_token": oidctest.SignIDToken(key, "1", "ES256", string(text)),
	})
}

// shop is an app whose users log in with the provider.
type shop struct {
	*httptest.Server
	log *http.Client // a browser; it stops at answers of the app
}

func newShop(t *testing.T, p *provider, change func(o *oauth.Options)) *shop {
	t.Helper()
	var app *nextrush.App
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	o := oauth.Options{Issuer: p.URL, ClientID: "shop", ClientSecret: "secret", RedirectURL: server.URL + "/auth/callback"}
	if change != nil {
		change(&o)
	}
	app = newApp(t, o)
	return &shop{Server: server, log: browser(t)}
}

func newApp(t *testing.T, o oauth.Options) *nextrush.App {
	t.Helper()
	app := nextrush.New()
	if err := app.Register(session.New(session.Options{}), oauth.New(o), auth.New(auth.Options{Lookup: oauth.Lookup})); err != nil {
		t.Fatal(err)
	}
	app.Get("/me", auth.Require(), func(c *nextrush.Context) error { return c.JSON(auth.User(c)) })
	app.Get("/*path", func(c *nextrush.Context) error { return c.Text("page " + c.Path()) })
	return app
}

func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}
