package oauth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/session"
)

const (
	flowsKey = "nextrush/plugins/oauth.flows"
	flowTime = 10 * time.Minute // for the user to log in
	maxFlows = 5                // of one browser at a time, in several tabs
)

// flow is a login that has begun. It is in the browser's session, so that nobody can make
// another's browser complete a login of his own (RFC 6749 §10.12).
type flow struct {
	Base     string    `json:"base"` // of the plugin that began it
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`    // in the ID token, so that it is not another's
	Verifier string    `json:"verifier"` // of PKCE
	Next     string    `json:"next"`
	At       time.Time `json:"at"`
}

func flows(c *nextrush.Context) (all []flow) {
	kept, _ := session.Get[string](c, flowsKey)
	json.Unmarshal([]byte(kept), &all)
	return slices.DeleteFunc(all, func(f flow) bool { return time.Since(f.At) > flowTime })
}

func keepFlows(c *nextrush.Context, all []flow) {
	if len(all) == 0 {
		session.Remove(c, flowsKey)
		return
	}
	b, _ := json.Marshal(all[max(0, len(all)-maxFlows):])
	session.Put(c, flowsKey, string(b))
}

// beginFlow keeps a new flow in the session.
func (p *Plugin) beginFlow(c *nextrush.Context, next string) flow {
	f := flow{Base: p.base, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: next, At: time.Now()}
	keepFlows(c, append(flows(c), f))
	return f
}

// endFlow takes the flow with that state from the session.
func (p *Plugin) endFlow(c *nextrush.Context, state string) (flow, bool) {
	all := flows(c)
	for i, f := range all {
		if f.Base == p.base && same(f.State, state) {
			keepFlows(c, slices.Delete(all, i, i+1))
			return f, true
		}
	}
	return flow{}, false
}

func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// local returns a path of this server, or "" if the text could lead to another. Browsers
// take "\" for "/", and leave out tabs and line breaks (WHATWG URL §4.4).
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || !strings.HasPrefix(next, "/") || strings.Contains(u.Path, "//") || u.Host != "" || u.Scheme != "" ||
		strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return ""
	}
	return next
}
