package nextrush

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"github.com/nextrush/nextrush/websocket"
)

// checkTLS finds what would make every handshake fail, or HTTP/2 alone.
func checkTLS(config *tls.Config) error {
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

// withTLS gives a listener its config. It is not that of the server, which has one
// for all its listeners.
func withTLS(ln net.Listener, config *tls.Config) net.Listener {
	config = config.Clone()
	config.NextProtos = slices.Clone(config.NextProtos)
	for _, proto := range []string{"h2", "http/1.1"} {
		if !slices.Contains(config.NextProtos, proto) {
			config.NextProtos = append(config.NextProtos, proto)
		}
	}
	return tls.NewListener(websocket.NewListener(ln), config)
}
