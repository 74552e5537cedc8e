package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/websocket/broker"
)

// keptMark begins a message that a script has published: it is followed by the epoch, the
// offset and the envelope, which begins with another byte.
const keptMark = 'K'

// pipe is what Publish needs of a client or of its pipeline.
type pipe interface {
	Publish(ctx context.Context, channel string, message any) *redis.IntCmd
	SPublish(ctx context.Context, channel string, message any) *redis.IntCmd
}

func (b *Broker) publish(ctx context.Context, p pipe, channel string, message []byte) *redis.IntCmd {
	if b.cluster {
		return p.SPublish(ctx, channel, message)
	}
	return p.Publish(ctx, channel, message)
}

// Publish sends a batch in one pipeline.
func (b *Broker) Publish(ctx context.Context, batch []broker.Envelope) error {
	if b.in == nil {
		return errors.New("redis: not started")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rooms, err := b.keeping(ctx, batch)
	if err != nil {
		return err
	}
	p := b.client.Pipeline()
	for i := range batch {
		e := &batch[i]
		message := b.codec.Append(nil, e)
		if room := rooms[e.Room]; room != nil {
			room.add(e, message)
		} else {
			b.publish(ctx, p, b.channel(e), message)
		}
	}
	for name, room := range rooms {
		b.keep(ctx, p, name, room)
	}
	cmds, err := p.Exec(ctx)
	if err != nil && slices.ContainsFunc(cmds, unknown) {
		for _, room := range rooms {
			room.gate.forget(room.script)
		}
	}
	return err
}

// keeping is what a batch has for a room of which something is to be kept: all of it is
// carried out by one call of a script, or nothing. If what comes later could be kept alone,
// what failed would look like a repetition when it is sent again.
type keeping struct {
	gate   *gate
	script *script
	keep   broker.Retention
	from   broker.NodeID
	items  []any // numbers, or "" for what is not kept, and messages
}

// keeping finds the rooms of which something is to be kept.
func (b *Broker) keeping(ctx context.Context, batch []broker.Envelope) (rooms map[string]*keeping, err error) {
	for i := range batch {
		e := &batch[i]
		if e.Keep == (broker.Retention{}) || rooms[e.Room] != nil {
			continue
		}
		g := b.gateOf(e.Room)
		s, err := g.of(ctx)
		if err != nil {
			return nil, err
		}
		if rooms == nil {
			rooms = make(map[string]*keeping)
		}
		rooms[e.Room] = &keeping{gate: g, script: s, from: e.From}
	}
	return rooms, nil
}

func (k *keeping) add(e *broker.Envelope, message []byte) {
	seq := ""
	if e.Keep != (broker.Retention{}) {
		seq, k.keep = sequence(e.Seq), e.Keep
	}
	k.items = append(k.items, seq, message)
}

// channel is where an envelope goes.
func (b *Broker) channel(e *broker.Envelope) string {
	switch {
	case e.Room != "":
		return b.roomChannel(e.Room)
	case e.To != (broker.NodeID{}):
		return b.nodeChannel(e.To)
	}
	return b.allChannel()
}

// keep has Redis keep the envelopes of a room and publish them with their positions, once.
func (b *Broker) keep(ctx context.Context, p redis.Pipeliner, room string, k *keeping) {
	command := "PUBLISH"
	if b.cluster {
		command = "SPUBLISH"
	}
	args := []any{b.roomChannel(room), k.from.String(), k.keep.Messages, k.keep.Bytes, max(k.keep.Age.Milliseconds(), 1), newEpoch(), command,
		(stateAge + k.keep.Age).Milliseconds()}
	p.EvalSha(ctx, k.script.keep, []string{b.streamKey(room), b.stateKey(room), k.gate.openKey()}, append(args, k.items...)...)
}

// unknown reports whether a server does not know a script: it has just started, or was just
// made the master.
func unknown(cmd redis.Cmder) bool { return redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") }

// open reads a message.
func (b *Broker) open(m *redis.Message) (d broker.Delivery, err error) {
	payload := []byte(m.Payload)
	if len(payload) > 0 && payload[0] == keptMark {
		if d.Position, payload, err = readPosition(payload[1:]); err != nil {
			return d, err
		}
	}
	if d.Envelope, err = b.codec.Decode(payload); err != nil {
		return d, err
	}
	if room, _ := b.roomOf(m.Channel); room != d.Room {
		return d, fmt.Errorf("redis: the envelope of a room has come by the channel of another")
	}
	return d, nil
}

func readPosition(b []byte) (at broker.Position, rest []byte, err error) {
	epoch, b, _ := bytes.Cut(b, []byte(" "))
	offset, rest, ok := bytes.Cut(b, []byte(" "))
	at.Epoch = string(epoch)
	at.Offset, err = strconv.ParseInt(string(offset), 10, 64)
	if !ok || err != nil || len(epoch) > 64 {
		return at, nil, broker.ErrEnvelope
	}
	return at, rest, nil
}
