package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestAcceptKeyIsTheExampleOfSection13(t *testing.T) {
	if got, want := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValidKey(t *testing.T) {
	tests := []struct {
		name string
		key  string
		want bool
	}{
		{"example of section 1.3", "dGhlIHNhbXBsZSBub25jZQ==", true},
		{"sixteen zeros", "AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"empty", "", false},
		{"15 bytes", "AAAAAAAAAAAAAAAAAAAA", false},
		{"17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA=", false},
		{"18 bytes", "AAAAAAAAAAAAAAAAAAAAAAAA", false},
		{"no padding", "dGhlIHNhbXBsZSBub25jZQ", false},
		{"URL alphabet", "-_AAAAAAAAAAAAAAAAAAAA==", false},
		{"a space in it", "dGhlIHNhbXBsZSBub25jZ ==", false},
		{"a line break in it", "dGhlIHNhbXBsZSBub25j\r\n==", false},
		{"line breaks for padding", "dGhlIHNhbXBsZSBub25jZQ\r\n", false},
		{"not ASCII", "dGhlIHNhbXBsZSBub25jé==", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ValidKey(tt.key) != tt.want {
				t.Errorf("%q: want %t", tt.key, tt.want)
			}
		})
	}
}

func TestTokenListContains(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   bool
	}{
		{"alone", []string{"upgrade"}, true},
		{"in another case", []string{"UpGrAde"}, true},
		{"among others", []string{"keep-alive, Upgrade"}, true},
		{"on the second line", []string{"keep-alive", "close,upgrade"}, true},
		{"with tabs and empty elements", []string{",,\tupgrade ,"}, true},
		{"no lines", nil, false},
		{"empty line", []string{""}, false},
		{"prefix", []string{"upgrade-insecure-requests"}, false},
		{"suffix", []string{"noupgrade"}, false},
		{"two words", []string{"keep-alive upgrade"}, false},
		{"other white space", []string{"\u00a0upgrade", "\vupgrade"}, false},
		{"quoted", []string{`"upgrade"`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if TokenListContains(tt.values, "upgrade") != tt.want {
				t.Errorf("%q: want %t", tt.values, tt.want)
			}
		})
	}
	if TokenListContains([]string{"webso\u212Aet", "websoc\u212Aet"}, "websocket") {
		t.Error("the Kelvin sign passed for a k")
	}
}

func TestParseTokens(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   []string
		ok     bool
	}{
		{"none", nil, nil, true},
		{"one", []string{"chat"}, []string{"chat"}, true},
		{"several in order and as written", []string{"Chat, superchat ,v2.json"}, []string{"Chat", "superchat", "v2.json"}, true},
		{"several lines", []string{"a,b", "c"}, []string{"a", "b", "c"}, true},
		{"every tchar", []string{"!#$%&'*+-.^_`|~09azAZ"}, []string{"!#$%&'*+-.^_`|~09azAZ"}, true},
		{"empty elements", []string{" , a,,b,", ""}, []string{"a", "b"}, true},
		{"space inside", []string{"a, b c"}, nil, false},
		{"separator", []string{"a/b"}, nil, false},
		{"quotes", []string{`"a"`}, nil, false},
		{"control character", []string{"a\x00"}, nil, false},
		{"line break", []string{"a\r\nb"}, nil, false},
		{"not ASCII", []string{"é"}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseTokens(tt.values)
			if !slices.Equal(got, tt.want) || ok != tt.ok {
				t.Errorf("got %q, %t; want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestHeaderChecksDoNotAllocate(t *testing.T) {
	lines := []string{"keep-alive, " + strings.Repeat("x, ", 50) + "Upgrade"}
	pinAllocs(t, "TokenListContains", func() { TokenListContains(lines, "upgrade") })
	pinAllocs(t, "ValidKey", func() { ValidKey("dGhlIHNhbXBsZSBub25jZQ==") })
}

func BenchmarkAcceptKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		AcceptKey("dGhlIHNhbXBsZSBub25jZQ==")
	}
}
