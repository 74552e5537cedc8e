package listen

import (
	"net"
	"strings"
	"testing"
)

func TestExplainNamesTheAddressToWrite(t *testing.T) {
	for addr, want := range map[string]string{
		"3000": `write ":3000"`, "localhost": `write "localhost:3000"`, "::1": `write "[::1]:3000"`,
	} {
		_, err := net.Listen("tcp", addr)
		if err == nil {
			t.Fatalf("%s is an address", addr)
		}
		if got := Explain(addr, err).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "0.0.0.0:80": "http://localhost:80", "[::]:80": "http://localhost:80",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := URL(tcp, false); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
