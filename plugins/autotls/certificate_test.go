package autotls_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/autotls"
)

func TestAnAuthorityThatHangsDoesNotHoldHandshakes(t *testing.T) {
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	p := autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: t.TempDir(), HTTPAddr: "off", Directory: hangs.URL})
	p.SetWait(50 * time.Millisecond)
	config, ln := p.TLSConfig(), listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				tls.Server(conn, config).Handshake()
			}()
		}
	}()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, _, err := get(ln, nil, "A.test"); err == nil {
				t.Error("served without a certificate")
			}
		})
	}
	wg.Wait()
}

func TestABrokenAccountKeyIsReplaced(t *testing.T) {
	alpn := freeport.Get(t)
	acme := newAuthority(t, freeport.Get(t), alpn)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cut":        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI",
		"no key":     "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
		"empty file": "",
	} {
		file := filepath.Join(dir, "acme_account+key")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, "a.test"))
		p := autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: dir, HTTPAddr: "off", Directory: acme.directory, HTTPClient: acme.client})
		app := nextrush.New()
		app.Get("/", func(c *nextrush.Context) error { return c.Text("in") })
		ln, err := tls.Listen("tcp", address(alpn), p.TLSConfig())
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: app}
		go server.Serve(ln)
		if _, _, err := get(ln, acme.roots, "a.test"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
		if after, _ := os.ReadFile(file); string(after) == content {
			t.Errorf("%s: the key stays", name)
		}
	}
}

func TestACacheThatOthersCanLookIntoIsLogged(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{0o700: false, 0o755: true} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err := app.Register(autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: dir})); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "chmod 700"); got != want {
			t.Errorf("%v: %s", mode, log.String())
		}
	}
}
