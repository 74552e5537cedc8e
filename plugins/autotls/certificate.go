package autotls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

const (
	certWait   = 10 * time.Second // how long a client waits for a certificate
	maxWaiting = 1000             // handshakes for one name, including those of clients that have gone
)

// certificate calls the manager's GetCertificate, which waits five minutes if the
// authority hangs, and does not notice that the client has gone. So it runs in another
// goroutine, which goes on without the client: the next one gets the certificate.
func (p *Plugin) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	waiting := p.waiting[asciiName(hello.ServerName)]
	if waiting == nil || len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto {
		return p.manager.GetCertificate(hello) // refuses, or answers a challenge
	}
	select {
	case waiting <- struct{}{}:
	default:
		return nil, fmt.Errorf("autotls: %d handshakes already wait for the certificate of %s", maxWaiting, hello.ServerName)
	}
	type result struct {
		cert *tls.Certificate
		err  error
	}
	results := make(chan result, 1)
	detached := *hello
	detached.Conn = nil
	go func() {
		r := result{err: errors.New("autotls: the cache has ended its goroutine (runtime.Goexit)")}
		defer func() {
			if v := recover(); v != nil {
				r.err = fmt.Errorf("autotls: the cache panicked: %v", v)
			}
			<-waiting
			results <- r
		}()
		r.cert, r.err = p.manager.GetCertificate(&detached)
	}()
	timeout := time.NewTimer(p.wait)
	defer timeout.Stop()
	select {
	case r := <-results:
		return r.cert, r.err
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	case <-timeout.C:
		return nil, fmt.Errorf("autotls: the authority has not answered for %s in %v", hello.ServerName, p.wait)
	}
}

// asciiName returns a name in the form that the manager uses.
func asciiName(name string) string {
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(ascii, ".")
}

// healing is a cache in which a broken account key counts as missing, so that it is
// replaced, as the manager replaces a broken certificate.
type healing struct {
	autocert.Cache
	plugin *Plugin
}

func (h healing) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := h.Cache.Get(ctx, name)
	if err == nil && strings.HasPrefix(name, "acme_account") && !isPrivateKey(data) {
		h.plugin.log.Warn("autotls: the account's key in the cache is broken: a new account is made", "name", name)
		return nil, autocert.ErrCacheMiss
	}
	return data, err
}

func isPrivateKey(data []byte) bool {
	block, _ := pem.Decode(data)
	if block == nil || !strings.Contains(block.Type, "PRIVATE") {
		return false
	}
	_, err1 := x509.ParsePKCS1PrivateKey(block.Bytes)
	_, err2 := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, err3 := x509.ParseECPrivateKey(block.Bytes)
	return err1 == nil || err2 == nil || err3 == nil
}
