package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Certificate is one for 127.0.0.1 that has signed itself, with its key, both in PEM.
type Certificate struct{ cert, key []byte }

// NewCertificate makes one that nobody trusts.
func NewCertificate(t testing.TB) Certificate {
	t.Helper()
	c, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newCertificate() (Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		return Certificate{}, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	return Certificate{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}, err
}

// trusted is the same for all tests of a process: what the system trusts is read once.
var trusted = sync.OnceValues(newCertificate)

// Trusted returns the certificate that clients trust in tests of this process, which use no
// other one before.
func Trusted(t *testing.T) Certificate {
	t.Helper()
	c, err := trusted()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", c.file(t, "trusted.pem", c.cert))
	return c
}

// Args has a server listen on another port with TLS and this certificate.
func (c Certificate) Args(t testing.TB, port string) []string {
	t.Helper()
	cert, key := c.file(t, "cert.pem", c.cert), c.file(t, "key.pem", c.key)
	return []string{"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}
}

func (Certificate) file(t testing.TB, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
