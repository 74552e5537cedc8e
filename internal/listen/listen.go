// Package listen opens what an app is to listen on, and says how to correct it.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Explain adds to an error of net.Listen the address to write, if addr is not one.
func Explain(addr string, err error) error {
	var wrong *net.AddrError
	if !errors.As(err, &wrong) {
		return err
	}
	fix := ":3000"
	_, number := strconv.ParseUint(addr, 10, 16)
	switch _, ip := netip.ParseAddr(addr); {
	case number == nil:
		fix = ":" + addr
	case ip == nil, !strings.ContainsAny(addr, ":/"):
		fix = net.JoinHostPort(addr, "3000")
	}
	return fmt.Errorf("%w: write %q", err, fix)
}

// URL is where to find what listens on an address.
func URL(addr net.Addr, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	if addr.Network() == "unix" {
		return "unix:" + addr.String()
	}
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("%slocalhost:%d", scheme, tcp.Port)
	}
	return scheme + addr.String()
}

// CheckTLS finds what would make every handshake fail, or HTTP/2 alone.
func CheckTLS(config *tls.Config) error {
	switch {
	case config == nil:
		return errors.New("the config is nil: give one with Certificates or GetCertificate")
	case len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil:
		return errors.New("the config has no certificate: set Certificates or GetCertificate")
	case config.CipherSuites != nil && config.MinVersion < tls.VersionTLS13 &&
		!slices.Contains(config.CipherSuites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) &&
		!slices.Contains(config.CipherSuites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256):
		return errors.New("CipherSuites has none that HTTP/2 can use (RFC 9113 §9.2.2): add TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
	}
	return nil
}

// TLS gives a listener a copy of the config, with HTTP/2. It is not that of the server,
// which has one for all its listeners.
func TLS(ln net.Listener, config *tls.Config) net.Listener {
	config = config.Clone()
	config.NextProtos = slices.Clone(config.NextProtos)
	for _, proto := range []string{"h2", "http/1.1"} {
		if !slices.Contains(config.NextProtos, proto) {
			config.NextProtos = append(config.NextProtos, proto)
		}
	}
	return tls.NewListener(ln, config)
}
