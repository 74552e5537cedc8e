package header

import (
	"strings"
	"testing"
)

func TestDownloadNamesAreSafe(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":         `attachment; filename="a.txt"`,
		`a"b.txt`:       `attachment; filename="a_b.txt"; filename*=UTF-8''a%22b.txt`,
		"a\r\nSet: x":   `attachment; filename="a__Set: x"`,
		"é.txt":         `attachment; filename="_.txt"; filename*=UTF-8''%C3%A9.txt`,
		"50%25.txt":     `attachment; filename="50_25.txt"; filename*=UTF-8''50%2525.txt`,
		"../etc/passwd": `attachment; filename="passwd"`,

		`..\..\boot.ini`:           `attachment; filename="boot.ini"`,
		`a/..\b/é.txt`:             `attachment; filename="_.txt"; filename*=UTF-8''%C3%A9.txt`,
		"C:\\x\\..":                "attachment",
		"dir/":                     "attachment",
		"..":                       "attachment",
		" . ":                      "attachment",
		"":                         "attachment",
		"a\u202egpj.exe\u0085\x00": `attachment; filename="a_gpj.exe__"`,
		"\xff/a\xff":               `attachment; filename="a_"`,

		strings.Repeat("x", 300) + ".txt":        `attachment; filename="` + strings.Repeat("x", 251) + `.txt"`,
		strings.Repeat("x", 300):                 `attachment; filename="` + strings.Repeat("x", 255) + `"`,
		"x." + strings.Repeat("y", 300):          `attachment; filename="x.` + strings.Repeat("y", 253) + `"`,
		strings.Repeat("é", 126) + "a" + ".html": `attachment; filename="` + strings.Repeat("_", 125) + `.html"; filename*=UTF-8''` + strings.Repeat("%C3%A9", 125) + ".html",
	} {
		if got := Attachment(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestHasControlAgreesWithItsDefinition(t *testing.T) {
	for ch := range 256 {
		for at := range 20 {
			b := []byte("text/html; charset=utf")[:20]
			b[at] = byte(ch)
			if got, want := hasControl(string(b)), isControl(byte(ch)); got != want {
				t.Fatalf("%q: %t, want %t", b, got, want)
			}
		}
	}
}
