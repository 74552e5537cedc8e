package route

import "strings"

// Expand puts the values of its parameters into a prefix. A slash in a value becomes
// "%2F" and a percent sign "%25", so that no two requests with different values give the
// same text.
func Expand(prefix string, value func(name string) string) string {
	var b strings.Builder
	for i, segment := range strings.Split(prefix, "/") {
		static, name, _ := strings.Cut(segment, ":")
		if i > 0 {
			b.WriteString("/")
		}
		b.WriteString(static)
		if name != "" {
			b.WriteString(apart.Replace(value(name)))
		}
	}
	return b.String()
}

// apart keeps a value from looking like several segments.
var apart = strings.NewReplacer("%", "%25", "/", "%2F")
