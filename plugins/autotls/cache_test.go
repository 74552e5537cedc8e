package autotls_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"

	"golang.org/x/crypto/acme/autocert"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/autotls"
)

type panicking struct{ autocert.Cache }

func (panicking) Get(context.Context, string) ([]byte, error) { panic("no connection") }

func TestACacheThatPanicsFailsTheHandshakeAndNotTheProcess(t *testing.T) {
	certs := autotls.New(autotls.Options{Domains: []string{"a.example"}, Cache: panicking{}, HTTPAddr: "off"})
	if err := nextrush.New().Register(certs); err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	failed := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			defer conn.Close()
			err = tls.Server(conn, certs.TLSConfig()).Handshake()
		}
		failed <- err
	}()
	get(ln, nil, "a.example")
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "no connection") {
		t.Errorf("%v", err)
	}
}
