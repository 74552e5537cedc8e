package nats

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush/websocket/broker"
)

// The subjects of a cluster are its prefix, a letter for the kind, and what it is of: a for
// all nodes, n and p for one, h for what brokers say to each other, r for a room, q for a
// partition of rooms, k for what JetStream is to keep.

const (
	maxToken = 128 // bytes of a token; longer ones are hashed
	hex      = "0123456789ABCDEF"
)

// token makes one token of a subject of any bytes. Different bytes have different tokens.
func token(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
		if b.Len() > maxToken {
			sum := sha256.Sum256([]byte(s))
			return "=h" + base64.RawURLEncoding.EncodeToString(sum[:])
		}
	}
	return b.String()
}

// checkPrefix finds what makes a prefix no beginning of a subject.
func checkPrefix(prefix string) error {
	for part := range strings.SplitSeq(prefix, ".") {
		if part == "" || strings.ContainsAny(part, "*> \t\r\n") || part[0] == '$' {
			return fmt.Errorf("nats: Options.Prefix %q cannot begin a subject: use letters, digits and single dots, as in \"chat.production\"", prefix)
		}
	}
	return nil
}

// partOf is which of n parts a room belongs to.
func partOf(room string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(room))
	return int(h.Sum32() % uint32(n))
}

// roomSubject is where what is said in a room is received.
func (b *Broker) roomSubject(room string) string {
	if n := b.opts.Partitions; n > 0 {
		return b.opts.Prefix + ".q." + strconv.Itoa(partOf(room, n))
	}
	return b.opts.Prefix + ".r." + token(room)
}

func (b *Broker) allSubject() string   { return b.opts.Prefix + ".a" }
func (b *Broker) peersSubject() string { return b.opts.Prefix + ".h" }

func (b *Broker) nodeSubject(id broker.NodeID) string { return b.opts.Prefix + ".n." + id.String() }
func (b *Broker) peerSubject(id broker.NodeID) string { return b.opts.Prefix + ".p." + id.String() }

// subject is where an envelope goes that is not kept.
func (b *Broker) subject(e *broker.Envelope) string {
	switch {
	case e.Room != "":
		return b.roomSubject(e.Room)
	case e.To != (broker.NodeID{}):
		return b.nodeSubject(e.To)
	}
	return b.allSubject()
}
