package cookie

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
)

// Sign returns value with a MAC of it and of the cookie's name, in characters that a
// cookie may have.
func Sign(secret []byte, name, value string) string {
	return encode([]byte(value)) + "." + encode(mac(secret, name, value))
}

// Open returns the value of a cookie that was signed with the secret for that name.
func Open(secret []byte, name, signed string) (value string, ok bool) {
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
