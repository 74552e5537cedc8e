package middleware

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/query"
)

const (
	csrfKey  = "middleware.csrf"
	csrfSize = sha256.Size // bytes of a browser's id, of a MAC, and of a mask
)

// csrfTokens makes and checks tokens: a cookie holds a random id of the browser,
// and the token is a MAC of that and of the session, so that a cookie that was
// planted is of no use without the secret (OWASP: signed double-submit cookie).
// The token is masked anew each time, since compressed answers would give away a
// constant one bit by bit (BREACH).
type csrfTokens struct {
	secret        []byte
	session       func(*nextrush.Context) string
	field, header string
}

// csrfBrowser is one request's view of them.
type csrfBrowser struct {
	tokens *csrfTokens
	id     []byte // of the browser, once it is known
}

func newCSRFTokens(o CSRFOptions) *csrfTokens {
	if o.Secret == nil {
		return nil
	}
	if len(o.Secret) < csrfSize {
		panic("middleware: CSRF: Secret: give at least 32 random bytes")
	}
	t := &csrfTokens{bytes.Clone(o.Secret), o.Session, o.Field, o.Header}
	if t.session == nil {
		t.session = func(*nextrush.Context) string { return "" }
	}
	if t.field == "" {
		t.field = "csrf_token"
	}
	if t.header == "" {
		t.header = "X-CSRF-Token"
	}
	return t
}

// CSRFToken is a token for a form's hidden field or a script's header. It sets a
// cookie if the browser has none yet, so it is to be called before the
// response begins, which must not be kept in shared caches. It is empty if no
// CSRF with a Secret stands before the handler.
func CSRFToken(c *nextrush.Context) string {
	b, ok := nextrush.Value[*csrfBrowser](c, csrfKey)
	if !ok {
		return ""
	}
	c.Vary("Cookie")
	if b.id == nil {
		b = &csrfBrowser{tokens: b.tokens} // a new one: the old may be shared with a handler that is late
		if ids := csrfIDs(c); len(ids) > 0 {
			b.id = ids[0]
		}
		c.Set(csrfKey, b)
	}
	if b.id == nil {
		b.id = make([]byte, csrfSize)
		rand.Read(b.id)
		c.SetCookie(&http.Cookie{
			Name: csrfCookie(c), Value: base64.RawURLEncoding.EncodeToString(b.id),
			Secure: c.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	masked := make([]byte, 2*csrfSize)
	rand.Read(masked[:csrfSize])
	subtle.XORBytes(masked[csrfSize:], masked, b.tokens.mac(c, b.id))
	return base64.RawURLEncoding.EncodeToString(masked)
}

// csrfCookie is a name that over HTTPS no other host can set (RFC 6265bis §4.1.3.2).
func csrfCookie(c *nextrush.Context) string {
	if c.Secure() {
		return "__Host-csrf"
	}
	return "csrf"
}

// csrfIDs are the ids in the browser's cookies. A page has been given a token for
// whichever came first then.
func csrfIDs(c *nextrush.Context) (ids [][]byte) {
	for _, value := range c.Cookies(csrfCookie(c)) {
		if id, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(id) == csrfSize {
			ids = append(ids, id)
		}
	}
	return ids
}

func (t *csrfTokens) mac(c *nextrush.Context, id []byte) []byte {
	h := hmac.New(sha256.New, t.secret)
	h.Write(id)
	io.WriteString(h, t.session(c))
	return h.Sum(nil)
}

func (t *csrfTokens) check(c *nextrush.Context) error {
	token, err := t.find(c)
	if err != nil {
		return err
	}
	masked, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(masked) != 2*csrfSize {
		return forbidden("the form's token is missing or malformed: send it in the field "+t.field+" or the header "+t.header, err)
	}
	ids := csrfIDs(c)
	if len(ids) == 0 {
		return forbidden("the cookie of the form's token is missing; load the page again", nil)
	}
	mac := masked[csrfSize:]
	subtle.XORBytes(mac, mac, masked[:csrfSize])
	for _, id := range ids {
		if subtle.ConstantTimeCompare(mac, t.mac(c, id)) == 1 {
			return nil
		}
	}
	return forbidden("the form's token is not valid; load the page again", nil)
}

// find reads the body only if the header has no token, and leaves it to be
// read again. Who streams uploads sends the header.
func (t *csrfTokens) find(c *nextrush.Context) (string, error) {
	if token := c.Header(t.header); token != "" {
		return token, nil
	}
	switch {
	case c.Is("form"):
		return t.inForm(c)
	case c.Is("multipart/form-data"):
		return t.inMultipart(c)
	}
	return "", nil
}

func (t *csrfTokens) inForm(c *nextrush.Context) (string, error) {
	body, err := c.Body()
	if err != nil {
		return "", err
	}
	c.Request().Body = io.NopCloser(bytes.NewReader(body))
	values, err := query.Parse(string(body))
	if err != nil {
		return "", nextrush.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("the form has more than %d fields", query.MaxPairs)).WithCause(err)
	}
	return values.Get(t.field), nil
}

func (t *csrfTokens) inMultipart(c *nextrush.Context) (string, error) {
	_, err := c.FormFile(t.field)
	form := c.Request().MultipartForm
	if form == nil {
		return "", err
	}
	return url.Values(form.Value).Get(t.field), nil
}
