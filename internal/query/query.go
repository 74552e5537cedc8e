// Package query reads the queries of URLs, and the forms that are written like them.
package query

import (
	"fmt"
	"net/url"
	"strings"
)

// MaxPairs is how many pairs a query or form may have, as net/url: each costs many
// times the bytes that it takes to send it.
const MaxPairs = 10_000

// ErrTooMany is of a query that has more than MaxPairs.
var ErrTooMany = fmt.Errorf("query: more than %d pairs", MaxPairs)

// Parse reads application/x-www-form-urlencoded as the URL standard does (WHATWG URL
// §5.1): pairs end at "&" alone, and a "%" without two hexadecimal digits stays as it
// is. Its only error is ErrTooMany; the values are then empty.
func Parse(text string) (url.Values, error) {
	values := url.Values{}
	if strings.Count(text, "&") >= MaxPairs {
		return values, ErrTooMany
	}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		values[name] = append(values[name], unescape(value))
	}
	return values, nil
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
