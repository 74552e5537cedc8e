package cookie

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Signer signs cookies with the first of its secrets, and opens what any has signed.
type Signer struct{ secrets [][]byte }

// NewSigner returns a Signer for secrets of 32 bytes or more, of which there is one at
// least.
func NewSigner(secrets [][]byte) (s Signer, err error) {
	for _, secret := range secrets {
		if len(secret) < 32 {
			return s, errors.New("a secret is too short: give 32 bytes or more from crypto/rand")
		}
		s.secrets = append(s.secrets, bytes.Clone(secret))
	}
	if len(s.secrets) == 0 {
		return s, errors.New("give a secret of 32 bytes or more from crypto/rand")
	}
	return s, nil
}

// maxSize is how many bytes name and value may have (RFC 6265bis §5.6).
const maxSize = 4096

// Sign returns a copy of the cookie with its value and name signed. One that browsers
// would not keep is an error.
func (s Signer) Sign(c *http.Cookie) (*http.Cookie, error) {
	signed := *c
	signed.Value = sign(s.secrets[0], c.Name, c.Value)
	signed.Path = cmp.Or(c.Path, "/")
	signed.Secure = c.Secure || MustBeSecure(c.Name)
	if err := Check(&signed); err != nil {
		return nil, err
	}
	if len(signed.Name)+len(signed.Value) > maxSize {
		return nil, fmt.Errorf("it has more than %d bytes", maxSize)
	}
	return &signed, nil
}

// Open returns the value of the first of the texts that was signed for that name.
func (s Signer) Open(name string, texts []string) (value string, ok bool) {
	for _, text := range texts {
		for _, secret := range s.secrets {
			if value, ok := open(secret, name, text); ok {
				return value, true
			}
		}
	}
	return "", false
}

// sign returns value with a MAC of it and of the cookie's name, in characters that a
// cookie may have.
func sign(secret []byte, name, value string) string {
	return encode([]byte(value)) + "." + encode(mac(secret, name, value))
}

// open returns the value of a cookie that was signed with the secret for that name.
func open(secret []byte, name, signed string) (value string, ok bool) {
	text, sum, _ := strings.Cut(signed, ".")
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	given, err2 := base64.RawURLEncoding.Strict().DecodeString(sum)
	if err != nil || err2 != nil || !hmac.Equal(given, mac(secret, name, string(b))) {
		return "", false
	}
	return string(b), true
}

// mac separates name and value by "=", which no name has.
func mac(secret []byte, name, value string) []byte {
	h := hmac.New(sha256.New, secret)
	io.WriteString(h, name+"="+value)
	return h.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
