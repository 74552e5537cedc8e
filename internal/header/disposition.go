package header

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Attachment is a Content-Disposition with the first of the names that is one, as in
// RFC 6266 §4 and appendix D: a plain name for old clients, and the exact one in RFC
// 8187's form if they differ.
func Attachment(names ...string) string {
	for _, name := range names {
		name = fileName(name)
		if name == "" {
			continue
		}
		plain := strings.Map(func(r rune) rune {
			if r > '~' || strings.ContainsRune(`"%`, r) {
				return '_'
			}
			return r
		}, name)
		value := `attachment; filename="` + plain + `"`
		if plain != name {
			value += "; filename*=UTF-8''" + extValue(name)
		}
		return value
	}
	return "attachment"
}

const (
	maxFileName  = 255 // bytes, as file systems take
	maxExtension = 16  // bytes of what stays where a name is cut, with its dot
)

// fileName is the last segment of a name, which a client may save a file under (RFC
// 6266 §4.3): with slashes of either kind, and without characters that hide what it
// is. It is empty if none is left.
func fileName(name string) string {
	name = strings.ToValidUTF8(name[strings.LastIndexAny(name, `/\`)+1:], "_")
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		return ""
	}
	if len(name) > maxFileName {
		ext := path.Ext(name)
		if len(ext) > maxExtension {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:maxFileName-len(ext)], "") + ext
	}
	return name
}

// extValue percent-encodes all but attr-char (RFC 8187 §3.2.1).
func extValue(s string) string {
	var b strings.Builder
	for _, ch := range []byte(s) {
		alnum := ch >= '0' && ch <= '9' || ch >= 'A' && ch <= 'Z' || ch >= 'a' && ch <= 'z'
		if alnum || strings.IndexByte("!#$&+-.^_`|~", ch) >= 0 {
			b.WriteByte(ch)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", ch)
	}
	return b.String()
}
