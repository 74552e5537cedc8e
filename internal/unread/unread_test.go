package unread

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

func TestEarlyBytesAreReadFirst(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	raw, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	io.WriteString(peer, "later")
	peer.(*net.TCPConn).CloseWrite()
	c := New(raw, []byte("first, "))
	if got, err := io.ReadAll(iotest.OneByteReader(c)); string(got) != "first, later" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
		t.Error(n, err)
	}
}

func TestNotAllConnectionsHaveHalves(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := New(a, nil).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
