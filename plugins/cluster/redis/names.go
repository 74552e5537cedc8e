package redis

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush/websocket/broker"
)

// partitions is how many groups of rooms there are. The keys and channels of a group are
// in one slot of a Redis Cluster.
const partitions = 32

// tags are the hash tags of the partitions, whose slots lie evenly.
var tags = makeTags()

func makeTags() (tags [partitions]string) {
	const slots = 16384
	for n, left := 0, partitions; left > 0; n++ {
		tag := strconv.Itoa(n)
		if p := int(crc16(tag)) % slots * partitions / slots; tags[p] == "" {
			tags[p] = tag
			left--
		}
	}
	return tags
}

// crc16 is that of Redis Cluster: CRC-16/XMODEM.
func crc16(s string) (crc uint16) {
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

func partitionOf(room string) int {
	h := fnv.New32a()
	h.Write([]byte(room))
	return int(h.Sum32() % partitions)
}

const allPartition = 0

// The names of channels and keys: a prefix, a tag, a letter for the kind, and the room or
// node.
func (b *Broker) name(partition int, kind, rest string) string {
	return b.prefix + "{" + tags[partition] + "}" + kind + rest
}

func (b *Broker) roomChannel(room string) string { return b.name(partitionOf(room), "r:", room) }
func (b *Broker) streamKey(room string) string   { return b.name(partitionOf(room), "s:", room) }
func (b *Broker) stateKey(room string) string    { return b.name(partitionOf(room), "m:", room) }
func (b *Broker) allChannel() string             { return b.name(allPartition, "a", "") }

func (b *Broker) nodeChannel(id broker.NodeID) string { return b.name(0, "n:", id.String()) }

// probeChannel is one of the node's own in each link.
func (b *Broker) probeChannel(l *link) string { return b.name(l.number, "p:", b.self.String()) }

// roomOf is the room of a channel; ok is false for another kind.
func (b *Broker) roomOf(channel string) (room string, ok bool) {
	_, room, ok = strings.Cut(channel[min(len(b.prefix), len(channel)):], "}r:")
	return room, ok
}
