package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValidCloseCode(t *testing.T) {
	// RFC 6455 section 7.4.1 and 7.4.2, and the IANA registry; the rest is not for the wire.
	legal := []struct{ from, to int }{{1000, 1003}, {1007, 1014}, {3000, 4999}}
	for code := range 1 << 16 {
		want := false
		for _, r := range legal {
			want = want || r.from <= code && code <= r.to
		}
		if ValidCloseCode(uint16(code)) != want {
			t.Errorf("%d: want %t", code, want)
		}
	}
}

func TestParseClose(t *testing.T) {
	long := strings.Repeat("x", maxCloseReason)
	tests := []struct {
		name    string
		payload string
		code    uint16
		reason  string
		err     error
	}{
		{"7.1.5 no payload is 1005", "", 1005, "", nil},
		{"5.5.1 code alone", "\x03\xe8", 1000, "", nil},
		{"5.5.1 code and reason", "\x03\xe9going away", 1001, "going away", nil},
		{"5.5.1 longest reason", "\x03\xe8" + long, 1000, long, nil},
		{"7.4.2 application code", "\x0f\xa0κόσμε", 4000, "κόσμε", nil},
		{"5.5.1 half a code", "\x03", 0, "", ErrClosePayload},
		{"7.4.1 reserved 1004", "\x03\xec", 0, "", ErrCloseCode},
		{"7.4.1 never sent 1005", "\x03\xed", 0, "", ErrCloseCode},
		{"7.4.1 never sent 1006", "\x03\xee", 0, "", ErrCloseCode},
		{"7.4.1 never sent 1015", "\x03\xf7", 0, "", ErrCloseCode},
		{"7.4.2 below 1000", "\x03\xe7", 0, "", ErrCloseCode},
		{"7.4.2 not yet defined 2999", "\x0b\xb7", 0, "", ErrCloseCode},
		{"7.4.2 above 4999", "\x13\x88", 0, "", ErrCloseCode},
		{"8.1 reason that is not UTF-8", "\x03\xe8\xce\xba\xff", 0, "", ErrCloseReason},
		{"8.1 reason that ends inside a sequence", "\x03\xe8\xe2\x82", 0, "", ErrCloseReason},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, reason, err := ParseClose([]byte(tt.payload))
			if code != tt.code || reason != tt.reason || !errors.Is(err, tt.err) {
				t.Fatalf("got %d %q, %v; want %d %q, %v", code, reason, err, tt.code, tt.reason, tt.err)
			}
		})
	}
}

func TestCloseErrorsCarryTheirCode(t *testing.T) {
	for err, want := range map[*Error]uint16{ErrClosePayload: 1002, ErrCloseCode: 1002, ErrCloseReason: 1007} {
		if err.Code != want {
			t.Errorf("%v: want %d", err, want)
		}
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct {
		name   string
		code   uint16
		reason string
		want   string
	}{
		{"code and reason", 1000, "bye", "\x03\xe8bye"},
		{"no reason", 4999, "", "\x13\x87"},
		{"no code", 0, "bye", ""},
		{"1005 stands for no code", 1005, "bye", ""},
		{"1006 is never sent", 1006, "", ""},
		{"1015 is never sent", 1015, "", ""},
		{"a code out of range is not sent", 5000, "bye", ""},
		{"longest reason", 1001, strings.Repeat("x", 123), "\x03\xe9" + strings.Repeat("x", 123)},
		{"too long a reason", 1001, strings.Repeat("x", 124), "\x03\xe9" + strings.Repeat("x", 123)},
		{"a rune on the border is left out", 1001, strings.Repeat("x", 121) + "€", "\x03\xe9" + strings.Repeat("x", 121)},
		{"a rune before the border stays", 1001, strings.Repeat("x", 120) + "€€", "\x03\xe9" + strings.Repeat("x", 120) + "€"},
		{"invalid bytes are replaced", 1001, "a\xffb", "\x03\xe9a\uFFFDb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := AppendClose([]byte("dst"), tt.code, tt.reason); string(got) != "dst"+tt.want {
				t.Errorf("got %q, want %q", got, "dst"+tt.want)
			}
		})
	}
}

func FuzzParseClose(f *testing.F) {
	for _, seed := range []string{"", "\x03", "\x03\xe8", "\x03\xe9going away", "\x03\xed", "\x0f\xa0κόσμε", "\x03\xe8\xff", "\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		code, reason, err := ParseClose(payload)
		var e *Error
		switch {
		case errors.As(err, &e):
			if e.Code != 1002 && e.Code != 1007 {
				t.Fatalf("% x: close code %d", payload, e.Code)
			}
		case code == codeNoStatus:
			if len(payload) != 0 {
				t.Fatalf("% x: read as no payload", payload)
			}
		case !ValidCloseCode(code) || !utf8.ValidString(reason):
			t.Fatalf("% x: accepted as %d %q", payload, code, reason)
		case len(payload) <= MaxControlPayload && !bytes.Equal(AppendClose(nil, code, reason), payload):
			t.Fatalf("% x: came back as % x", payload, AppendClose(nil, code, reason))
		}
	})
}
