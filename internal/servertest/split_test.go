package servertest

import (
	"testing"
)

// divided are the cases whose bytes arrive in two parts, at every place.
var divided = []string{
	`01 target "http://h/p?q"`, `02 version "HTTP/1.10"`, `03 field "X: \t y \t"`, `03 field "X\x00: y"`, `03 host "Host: a\r\nHost: b"`, `04 lengths "Content-Length: 5|Content-Length: 5"`,
	"05 POST", "05 chunks", "08 trailers", `09 after POST "\r\n"`, `09 after POST "\r\n\r\n\r\n"`, "11 second request", "13 gzip", "14 HTTP/3.0", "31 101 by hand", "35 pipelined", "38 half read, in chunks", "39 closed in the middle, in chunks",
	`40 read "0\r\nbad trailer\r\n\r\n"`, `40 read "5\r\nhelloX\r\n0\r\n\r\n"`, `60 length and transfer encoding "Content-Length: 5|Transfer-Encoding: chunked"`, "65 bare LF, all lines", "67 folded field",
	`68 end of a chunk "\n"`, `69 chunk extension "x\ny"`, `69 chunk extension "x=\"a;b\""`, "71 trailer that frames", "72 CL.0", "72 upgrade to h2c",
}

// TestSplits says that it is all the same in which parts bytes arrive.
func TestSplits(t *testing.T) {
	golden := readGolden(t)
	for _, name := range divided {
		c, ok := caseNamed(name)
		if !ok {
			t.Errorf("no case is named %s", name)
			continue
		}
		for _, kind := range servers {
			for _, network := range networks {
				t.Run(subtest(name, kind.name, network), func(t *testing.T) {
					t.Parallel()
					want := c.want(kind, golden)
					p := c.begin(t, kind, network)
					defer p.end()
					whole := c.send + sentinel
					for at := range len(whole) {
						if got := p.again(inTwo(whole, at), eof); got != want {
							t.Fatalf("divided after %q\ngot\n%swant\n%s", whole[:at], got, want)
						}
					}
					if got := p.again(slowly(whole), eof); got != want {
						t.Errorf("byte by byte\ngot\n%swant\n%s", got, want)
					}
				})
			}
		}
	}
}

// again plays steps on a new connection, as if they were the first.
func (p *play) again(s ...step) string {
	p.mu.Lock()
	p.notes = nil
	p.log.Reset()
	p.mu.Unlock()
	p.links = nil
	p.dial("")
	for _, step := range s {
		step(p)
	}
	p.wait()
	p.link.Close()
	return p.transcript(false)
}

func caseNamed(name string) (testCase, bool) {
	for _, c := range cases {
		if c.name == name && c.script == nil {
			return c, true
		}
	}
	return testCase{}, false
}
