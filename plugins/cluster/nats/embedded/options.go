package embedded

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
)

func (o *Options) keeps() bool { return o.StoreDir != "" || o.Memory }

// check finds mistakes.
func (o *Options) check() error {
	switch {
	case o.Listen == "" && len(o.Peers) > 0:
		return errors.New("embedded: Peers needs Listen, as in \":6222\": every node is to be reached by the others")
	case o.Expected < 0:
		return errors.New("embedded: Expected must not be negative")
	case o.TLS != nil && o.TLS.RootCAs == nil && o.TLS.ServerName == "":
		return errors.New("embedded: TLS needs RootCAs, or a ServerName: anybody has some certificate")
	case o.TLS != nil && len(o.TLS.Certificates) == 0 && o.TLS.GetCertificate == nil:
		return errors.New("embedded: TLS needs Certificates: every node shows one")
	}
	if o.Listen != "" {
		if err := o.checkListen(); err != nil {
			return err
		}
	}
	for _, peer := range o.Peers {
		if host, port, err := net.SplitHostPort(peer); err != nil || host == "" || port == "" {
			return fmt.Errorf("embedded: %q of Peers is no address: it is a name and a port, as in \"app.internal:6222\"", peer)
		}
	}
	if err := o.checkKeeping(); err != nil {
		return err
	}
	_, err := nats.New(nats.Options{Prefix: o.Prefix, Partitions: o.Partitions, Streams: o.streams()})
	return err
}

func (o *Options) checkListen() error {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("embedded: Listen is %q: it is an address, as in \":6222\"", o.Listen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("embedded: Listen has the port %q, which is no number to %d", port, n)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() && o.Secret == "" && o.TLS == nil {
		return fmt.Errorf("embedded: Listen is %q, which others can reach: set Secret or TLS, or listen on 127.0.0.1", o.Listen)
	}
	return nil
}

// checkKeeping finds what keeps the nodes from agreeing on what is kept.
func (o *Options) checkKeeping() error {
	switch {
	case !o.keeps():
		return nil
	case o.Expected == 0:
		return errors.New("embedded: StoreDir and Memory need Expected: rooms are kept by a fixed number of nodes")
	case o.Expected == 2:
		return errors.New("embedded: rooms are kept by 1 node, or by 3 and more: of 2 nothing is left when one is gone")
	case o.Expected > 1 && len(o.Peers) != o.Expected:
		return fmt.Errorf("embedded: Peers has %d names and Expected is %d: to keep rooms it has each node by a name of its own, this one, too", len(o.Peers), o.Expected)
	case o.Expected > 1 && o.Listen == "":
		return errors.New("embedded: Expected needs Listen")
	}
	return nil
}

func (o *Options) streams() nats.Streams {
	s := o.Streams
	s.Memory = o.Memory && o.StoreDir == ""
	if s.Replicas == 0 && o.Expected > 2 {
		s.Replicas = 3
	}
	return s
}

// serverOptions are those of the server.
func (b *Broker) serverOptions(ctx context.Context) (*server.Options, error) {
	o := &b.opts
	opts := &server.Options{
		ServerName: o.Name, NoSigs: true, MaxPayload: maxPayload, JetStream: o.keeps(), StoreDir: o.StoreDir,
		// A server that has no listener for clients never starts its routes: nobody else knows the token.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: b.own, DontListen: o.Listen == "",
	}
	if o.keeps() && o.StoreDir == "" {
		dir, err := os.MkdirTemp("", "nextrush-cluster-")
		if err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
		b.remove, opts.StoreDir = dir, dir
	}
	if o.Listen == "" {
		return opts, nil
	}
	host, text, _ := net.SplitHostPort(o.Listen)
	port, _ := strconv.Atoi(text)
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if o.keeps() && o.Name == "" {
		name, _ := os.Hostname()
		opts.ServerName = name + "-" + text
	}
	opts.Cluster = server.ClusterOpts{
		Name: strings.ReplaceAll(o.Prefix, ".", "="), Host: host, Port: port, PoolSize: 1, PingInterval: routePing, MaxPingsOut: routePings,
		NoAdvertise: true,
	}
	if o.Secret != "" {
		opts.Cluster.Username, opts.Cluster.Password = routeUser, o.password()
	}
	if o.TLS != nil {
		opts.Cluster.TLSConfig, opts.Cluster.TLSTimeout = mutual(o.TLS), 5
	}
	b.lookUp(ctx)
	opts.Routes = b.routes.urls(o)
	return opts, nil
}

const routeUser = "nextrush"

// password is what nodes show each other. The secret itself does not go over the network.
func (o *Options) password() string {
	h := hmac.New(sha256.New, []byte(o.Secret))
	h.Write([]byte("nextrush: password of routes"))
	return hex.EncodeToString(h.Sum(nil))
}

// mutual has both sides show a certificate, and look at that of the other in the same way:
// nodes are reached by addresses that are in no certificate.
func mutual(c *tls.Config) *tls.Config {
	m := c.Clone()
	m.ClientAuth, m.InsecureSkipVerify = tls.RequireAnyClientCert, true // VerifyConnection verifies
	m.MinVersion = max(m.MinVersion, tls.VersionTLS12)
	own := m.VerifyConnection
	m.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("embedded: a node has shown no certificate")
		}
		v := x509.VerifyOptions{Roots: c.RootCAs, DNSName: c.ServerName, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		for _, cert := range s.PeerCertificates[1:] {
			v.Intermediates.AddCert(cert)
		}
		if c.Time != nil {
			v.CurrentTime = c.Time()
		}
		if _, err := s.PeerCertificates[0].Verify(v); err != nil || own == nil {
			return err
		}
		return own(s)
	}
	return m
}

// shutdown ends the server. It is called under starts.
func (b *Broker) shutdown() {
	b.stop()
	b.running.Wait()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	if b.remove != "" {
		os.RemoveAll(b.remove)
	}
}
