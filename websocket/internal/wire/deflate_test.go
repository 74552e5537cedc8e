package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestNegotiateDeflate(t *testing.T) {
	tests := []struct {
		name   string
		offers []string
		want   Deflate
		answer string // "": none
	}{
		{"7.1 bare offer", []string{"permessage-deflate"}, Deflate{}, "permessage-deflate"},
		{"7.1.2.2 as browsers offer it", []string{"permessage-deflate; client_max_window_bits"},
			Deflate{ClientMaxWindowBitsOffered: true}, "permessage-deflate"},
		{"7.1.1.1 server_no_context_takeover", []string{"permessage-deflate; server_no_context_takeover"},
			Deflate{ServerNoContextTakeover: true}, "permessage-deflate; server_no_context_takeover"},
		{"7.1.1.2 client_no_context_takeover", []string{"permessage-deflate; client_no_context_takeover"},
			Deflate{ClientNoContextTakeover: true}, "permessage-deflate; client_no_context_takeover"},
		{"7.1.2.1 server_max_window_bits", []string{"permessage-deflate; server_max_window_bits=10"},
			Deflate{ServerMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=10"},
		{"7.1.2.2 client_max_window_bits with a value", []string{"permessage-deflate; client_max_window_bits=8"},
			Deflate{ClientMaxWindowBits: 8, ClientMaxWindowBitsOffered: true}, "permessage-deflate; client_max_window_bits=8"},
		{"7.1 all at once",
			[]string{"permessage-deflate;client_max_window_bits=9;server_max_window_bits=15;client_no_context_takeover;server_no_context_takeover"},
			Deflate{true, true, 15, 9, true},
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=9"},
		{"9.1 quoted value", []string{`permessage-deflate; server_max_window_bits="10"`},
			Deflate{ServerMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=10"},
		{"9.1 quoted pair", []string{`permessage-deflate; server_max_window_bits="\1\0"`},
			Deflate{ServerMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=10"},
		{"9.1 space around everything", []string{"\t permessage-deflate ;\tserver_max_window_bits = 10 , "},
			Deflate{ServerMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=10"},
		{"7.1 first acceptable offer of several",
			[]string{"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=12, permessage-deflate"},
			Deflate{ServerMaxWindowBits: 12}, "permessage-deflate; server_max_window_bits=12"},
		{"9.1 on the second line", []string{"x-webkit-deflate-frame", "foo; bar=baz, permessage-deflate"},
			Deflate{}, "permessage-deflate"},
		{"unknown extension with odd parameters", []string{`foo; a; a; server_max_window_bits=99; b="q", permessage-deflate`},
			Deflate{}, "permessage-deflate"},
		{"parameters of another extension do not leak", []string{"foo; server_no_context_takeover, permessage-deflate, bar; client_no_context_takeover"},
			Deflate{}, "permessage-deflate"},
		{"9.1 empty elements", []string{",, permessage-deflate ,,", ""}, Deflate{}, "permessage-deflate"},

		{"no header", nil, Deflate{}, ""},
		{"empty header", []string{""}, Deflate{}, ""},
		{"only others", []string{"permessage-bzip2, x-permessage-deflate"}, Deflate{}, ""},
		{"name in another case", []string{"Permessage-Deflate"}, Deflate{}, ""},
		{"7.1 unknown parameter", []string{"permessage-deflate; foo"}, Deflate{}, ""},
		{"7.1 parameter in another case", []string{"permessage-deflate; Server_no_context_takeover"}, Deflate{}, ""},
		{"7.1 repeated flag", []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, Deflate{}, ""},
		{"7.1 repeated size", []string{"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"}, Deflate{}, ""},
		{"7.1 repeated size without a value", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits"}, Deflate{}, ""},
		{"7.1 repeated size, first with a value", []string{"permessage-deflate; client_max_window_bits=9; client_max_window_bits"}, Deflate{}, ""},
		{"7.1 repeated size, second with a value", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=9"}, Deflate{}, ""},
		{"7.1.1 flag with a value", []string{"permessage-deflate; server_no_context_takeover=1"}, Deflate{}, ""},
		{"7.1.2.1 server size without a value", []string{"permessage-deflate; server_max_window_bits"}, Deflate{}, ""},
		{"7.1.2 size 7", []string{"permessage-deflate; server_max_window_bits=7"}, Deflate{}, ""},
		{"7.1.2 size 16", []string{"permessage-deflate; client_max_window_bits=16"}, Deflate{}, ""},
		{"7.1.2 leading zero", []string{"permessage-deflate; client_max_window_bits=08"}, Deflate{}, ""},
		{"7.1.2 sign", []string{"permessage-deflate; client_max_window_bits=+9"}, Deflate{}, ""},
		{"7.1.2 negative", []string{"permessage-deflate; client_max_window_bits=-9"}, Deflate{}, ""},
		{"7.1.2 not a number", []string{"permessage-deflate; server_max_window_bits=a"}, Deflate{}, ""},
		{"7.1.2 wraps 64 bits to 10", []string{"permessage-deflate; server_max_window_bits=18446744073709551626"}, Deflate{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, answer, ok := NegotiateDeflate(tt.offers, true)
			if d != tt.want || answer != tt.answer || ok != (tt.answer != "") {
				t.Errorf("got %+v, %q, %t; want %+v, %q", d, answer, ok, tt.want, tt.answer)
			}
			if !wellFormed(tt.offers) {
				t.Error("scanExtensions calls it malformed")
			}
		})
	}
}

func TestNegotiateDeflateWithoutTakeoverSaysSoBothWays(t *testing.T) {
	const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for offer, want := range map[string]string{
		"permessage-deflate":                             both,
		"permessage-deflate; client_no_context_takeover": both,
		"permessage-deflate; server_max_window_bits=9":   both + "; server_max_window_bits=9",
	} {
		d, answer, ok := NegotiateDeflate([]string{offer}, false)
		if answer != want || !ok || !d.ServerNoContextTakeover || !d.ClientNoContextTakeover {
			t.Errorf("%s: got %+v, %q, %t; want %q", offer, d, answer, ok, want)
		}
	}
}

// wellFormed reports whether the lines conform to the grammar, known extensions or not.
func wellFormed(lines []string) bool {
	return scanExtensions(lines, func(string) {}, func(parameter) {})
}

func TestMalformedExtensionsSpoilTheHeader(t *testing.T) {
	// RFC 6455 section 9.1: the grammar. Each has a good offer beside it.
	for name, bad := range map[string]string{
		"no name before a parameter":     "; a",
		"no parameter after a semicolon": "foo;",
		"two semicolons":                 "foo;;a",
		"no value":                       "foo; a=",
		"no parameter name":              "foo; =a",
		"two words":                      "foo bar",
		"two values":                     "foo; a=b c",
		"two equals signs":               "foo; a==b",
		"open quote":                     `foo; a="b`,
		"open quote after a backslash":   `foo; a="b\`,
		"escaped closing quote":          `foo; a="b\"`,
		"empty quotes":                   `foo; a=""`,
		"space in quotes":                `foo; a="b c"`,
		"escaped space in quotes":        `foo; a="b\ c"`,
		"escaped backslash":              `foo; a="1\\0"`,
		"comma in quotes":                `foo; a="b,c"`,
		"text after quotes":              `foo; a="b"c`,
		"quoted name":                    `"foo"`,
		"quoted parameter name":          `foo; "a"=b`,
		"slash":                          "foo/bar",
		"NUL":                            "foo\x00",
		"not ASCII":                      "foö",
		"vertical tab for a space":       "foo;\va",
	} {
		t.Run(name, func(t *testing.T) {
			for _, offers := range [][]string{
				{bad + ", permessage-deflate"}, {"permessage-deflate, " + bad}, {bad, "permessage-deflate"}, {"permessage-deflate", bad},
			} {
				if d, answer, ok := NegotiateDeflate(offers, true); ok || answer != "" || d != (Deflate{}) {
					t.Errorf("%q: got %+v, %q, %t", offers, d, answer, ok)
				}
				if wellFormed(offers) {
					t.Errorf("%q: scanExtensions has no objection", offers)
				}
			}
		})
	}
}

func TestLongExtensionHeadersAllocateNoMoreThanShortOnes(t *testing.T) {
	const size = 64 << 10
	for name, header := range map[string]string{
		"spaces":          "permessage-deflate" + strings.Repeat(" ", size) + ";",
		"quotes":          "foo; a=" + strings.Repeat(`"`, size),
		"backslashes":     `foo; a="` + strings.Repeat(`\`, size),
		"semicolons":      "permessage-deflate" + strings.Repeat(";", size),
		"commas":          strings.Repeat(",", size),
		"parameters":      "permessage-deflate" + strings.Repeat("; a", size/3),
		"repeated offers": strings.Repeat("permessage-deflate; a,", size/22),
		"one long name":   strings.Repeat("a", size),
	} {
		offers := []string{header}
		if _, _, ok := NegotiateDeflate(offers, true); ok {
			t.Errorf("%s: accepted", name)
		}
		if n := testing.AllocsPerRun(5, func() { NegotiateDeflate(offers, true) }); n > 10 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestAcceptDeflate(t *testing.T) {
	tests := []struct {
		name     string
		answer   []string
		takeover bool
		want     Deflate
		ok       bool
		err      error
	}{
		{"no extension", nil, true, Deflate{}, false, nil},
		{"empty header", []string{""}, true, Deflate{}, false, nil},
		{"bare", []string{"permessage-deflate"}, true, Deflate{}, true, nil},
		{"7.1.1.1 server gives takeover up unasked", []string{"permessage-deflate; server_no_context_takeover"}, true,
			Deflate{ServerNoContextTakeover: true}, true, nil},
		{"7.1.1.2 client has to give takeover up", []string{"permessage-deflate; client_no_context_takeover"}, true,
			Deflate{ClientNoContextTakeover: true}, true, nil},
		{"7.1.2.1 server bounds its window unasked", []string{"permessage-deflate; server_max_window_bits=9"}, true,
			Deflate{ServerMaxWindowBits: 9}, true, nil},
		{"7.1.2.2 client has to bound its window", []string{`permessage-deflate; client_max_window_bits="12"`}, true,
			Deflate{ClientMaxWindowBits: 12, ClientMaxWindowBitsOffered: true}, true, nil},
		{"7.1.1 both without takeover", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}, false,
			Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true}, true, nil},
		{"7.1.1.2 client resets although the server does not ask", []string{"permessage-deflate; server_no_context_takeover"}, false,
			Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true}, true, nil},

		{"7.1.1.1 server ignores what it was asked", []string{"permessage-deflate"}, false, Deflate{}, false, ErrDeflateParameters},
		{"7.1.2.2 client size without a value", []string{"permessage-deflate; client_max_window_bits"}, true, Deflate{}, false, ErrDeflateParameters},
		{"7.1.2.1 server size without a value", []string{"permessage-deflate; server_max_window_bits"}, true, Deflate{}, false, ErrDeflateParameters},
		{"7.1 unknown parameter", []string{"permessage-deflate; foo"}, true, Deflate{}, false, ErrDeflateParameters},
		{"7.1 repeated parameter", []string{"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"}, true, Deflate{}, false, ErrDeflateParameters},
		{"7.1 value out of range", []string{"permessage-deflate; client_max_window_bits=16"}, true, Deflate{}, false, ErrDeflateParameters},
		{"4.1 extension that was not offered", []string{"foo"}, true, Deflate{}, false, ErrExtensionNotOffered},
		{"4.1 another beside it", []string{"permessage-deflate", "foo"}, true, Deflate{}, false, ErrExtensionNotOffered},
		{"4.1 twice", []string{"permessage-deflate, permessage-deflate"}, true, Deflate{}, false, ErrExtensionNotOffered},
		{"9.1 malformed", []string{"permessage-deflate;"}, true, Deflate{}, false, ErrExtensionSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, ok, err := AcceptDeflate(tt.answer, tt.takeover)
			if d != tt.want || ok != tt.ok || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %t, %v; want %+v, %t, %v", d, ok, err, tt.want, tt.ok, tt.err)
			}
		})
	}
}

func TestOurClientAndServerAgree(t *testing.T) {
	for _, client := range []bool{true, false} {
		for _, server := range []bool{true, false} {
			t.Run(fmt.Sprintf("takeover/client=%t,server=%t", client, server), func(t *testing.T) {
				agreed, answer, ok := NegotiateDeflate([]string{OfferDeflate(client)}, server)
				if !ok {
					t.Fatal("the server declined")
				}
				got, ok, err := AcceptDeflate([]string{answer}, client)
				agreed.ClientMaxWindowBitsOffered = false
				if got != agreed || !ok || err != nil {
					t.Errorf("client %+v, %t, %v; server %+v", got, ok, err, agreed)
				}
				if got.ServerNoContextTakeover != (!client || !server) {
					t.Errorf("takeover although one side does not want it: %+v", got)
				}
			})
		}
	}
}

// FuzzNegotiateDeflate holds what the server answers against what RFC 7692
// lets it answer, and against the client's check.
func FuzzNegotiateDeflate(f *testing.F) {
	for _, seed := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", `permessage-deflate; server_max_window_bits="10"`,
		"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_no_context_takeover; client_max_window_bits=8",
		`foo; a="b\"c", permessage-deflate;`, ",,\t ;=", "permessage-deflate; client_no_context_takeover\npermessage-deflate",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, header string, takeover bool) {
		offers := strings.Split(header, "\n")
		d, answer, ok := NegotiateDeflate(offers, takeover)
		if !ok {
			if d != (Deflate{}) || answer != "" {
				t.Fatalf("%q: declined with %+v, %q", header, d, answer)
			}
			return
		}
		if !wellFormed(offers) || !strings.Contains(header, extDeflate) {
			t.Fatalf("%q: accepted with %q", header, answer)
		}
		got, ok, err := AcceptDeflate([]string{answer}, takeover)
		d.ClientMaxWindowBitsOffered = d.ClientMaxWindowBits != 0
		if got != d || !ok || err != nil {
			t.Fatalf("%q: a client reads %q as %+v, %t, %v; meant was %+v", header, answer, got, ok, err, d)
		}
		if d.ClientMaxWindowBits != 0 && !strings.Contains(header, clientMaxWindowBits) {
			t.Fatalf("%q: %q answers what was not offered", header, answer)
		}
	})
}

func BenchmarkNegotiateDeflate(b *testing.B) {
	offers := []string{"permessage-deflate; client_max_window_bits"}
	b.ReportAllocs()
	for b.Loop() {
		NegotiateDeflate(offers, false)
	}
}
