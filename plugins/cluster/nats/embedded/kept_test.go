package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/websocket/broker"
)

// startAll starts nodes at the same time: each waits for the others.
func startAll(t *testing.T, options []embedded.Options) []*node {
	list := make([]*node, len(options))
	var wg sync.WaitGroup
	for i, o := range options {
		wg.Go(func() { list[i] = start(t, o) })
	}
	wg.Wait()
	return list
}

// say publishes to a kept room until it is kept.
func (n *node) say(room string, seq uint64, text string) {
	n.t.Helper()
	keep := broker.Retention{Messages: 100, Bytes: 1 << 20, Age: time.Hour}
	e := broker.Envelope{From: n.ID, Seq: seq, Room: room, Keep: keep, Body: []byte(text)}
	for over := time.Now().Add(patience); ; {
		err := n.Publish(context.Background(), []broker.Envelope{e})
		if err == nil {
			return
		}
		if time.Now().After(over) {
			n.t.Fatal(err)
		}
	}
}

func (n *node) keeps(room string, texts ...string) {
	n.t.Helper()
	page, err := n.Since(context.Background(), room, broker.Position{}, 100)
	var got []string
	for _, d := range page.Deliveries {
		got = append(got, string(d.Body))
	}
	if err != nil || !slices.Equal(got, texts) {
		n.t.Errorf("%q are kept, want %q: %v", got, texts, err)
	}
}

// Two of three nodes go on, and the third has all when it is back.
func TestThreeNodesKeepRooms(t *testing.T) {
	var peers []string
	for range 3 {
		peers = append(peers, freeport.Address(t))
	}
	var options []embedded.Options
	for i, listen := range peers {
		options = append(options, embedded.Options{
			Listen: listen, Peers: peers, Secret: "secret", Expected: 3, StoreDir: t.TempDir(), Name: fmt.Sprint("node", i),
		})
	}
	nodes := startAll(t, options)
	nodes[0].say("room", 1, "one")
	nodes[1].say("room", 1, "two")
	nodes[2].say("room", 1, "three")
	nodes[2].close()
	nodes[0].say("room", 2, "four")
	nodes[0].say("room", 2, "four")
	nodes[1].keeps("room", "one", "two", "three", "four")
	again := start(t, options[2])
	again.say("room", 1, "five")
	again.keeps("room", "one", "two", "three", "four", "five")
}

func TestOneNodeKeepsRooms(t *testing.T) {
	for _, memory := range []bool{true, false} {
		t.Run(fmt.Sprintf("memory %v", memory), func(t *testing.T) {
			o := embedded.Options{Expected: 1, Memory: true}
			if !memory {
				o.Memory, o.StoreDir = false, t.TempDir()
			}
			n := start(t, o)
			if err := n.CanKeep(t.Context()); err != nil {
				t.Fatal(err)
			}
			keep := broker.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}
			for seq := range uint64(3) {
				e := broker.Envelope{From: n.ID, Seq: seq + 1, Room: "room", Keep: keep, Body: []byte("kept")}
				if err := n.Publish(t.Context(), []broker.Envelope{e}); err != nil {
					t.Fatal(err)
				}
			}
			if memory {
				return
			}
			n.close()
			again := start(t, o)
			page, err := again.Since(t.Context(), "room", broker.Position{}, 10)
			if err != nil || len(page.Deliveries) != 3 {
				t.Errorf("after another start %d are kept, %v", len(page.Deliveries), err)
			}
		})
	}
}

// authority signs the certificates of nodes.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key, a.cert = a.sign(template, nil)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate, by *authority) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

func (a *authority) config() *tls.Config {
	key, cert := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"node.internal"}, NotAfter: time.Now().Add(time.Hour)}, a)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, RootCAs: a.pool, ServerName: "node.internal",
	}
}

func TestCertificatesAdmitNodes(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	a := start(t, embedded.Options{Listen: "127.0.0.1:0", TLS: ours.config()})
	b := start(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{a.Addr().String()}, TLS: ours.config()})
	b.all(2)
	b.hears(a, "room", "hello")
	var wg sync.WaitGroup
	for _, c := range []*tls.Config{others.config(), nil} {
		wg.Go(func() { start(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{a.Addr().String()}, TLS: c}) })
	}
	wg.Wait() // each has tried for 2 s
	b.hears(a, "room", "still")
	if a.Nodes() != 2 {
		t.Errorf("%d nodes, want 2", a.Nodes())
	}
}
