package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/websocket/broker"
)

// tailScript has a room go on with what a node has got of it, before the gate is open, and
// returns the offset after which something is missing; -1: it goes on otherwise.
const tailScript = `
local stream, state, pending, token = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local epoch, base, age, stateAge = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
if redis.call('GET', KEYS[3]) ~= pending then
	return -1
end
local had = redis.call('HMGET', state, 'vouched', 'epoch', 'top', 'bytes')
local top, bytes = tonumber(had[3] or 0), tonumber(had[4] or 0)
local function generation(name)
	return tonumber(string.match(name or '', '^%d+') or 0)
end
if had[2] ~= epoch then
	if had[1] == token and generation(had[2]) >= generation(epoch) then
		return -1
	end
	redis.call('DEL', stream, state)
	top, bytes = base, 0
elseif top < base then
	redis.call('DEL', stream)
	top, bytes = base, 0
end
local offset = base
for i = 7, #ARGV, 3 do
	offset = offset + 1
	if offset == top + 1 then
		local message, node, seq = ARGV[i], 'n' .. ARGV[i + 1], ARGV[i + 2]
		redis.call('XADD', stream, offset .. '-0', 'm', message)
		top, bytes = offset, bytes + #message
		local last = redis.call('HGET', state, node)
		if not last or last < seq then
			redis.call('HSET', state, node, seq)
		end
	end
end
redis.call('HSET', state, 'vouched', token, 'epoch', epoch, 'top', top, 'bytes', bytes)
redis.call('PEXPIRE', stream, age)
redis.call('PEXPIRE', state, stateAge)
return top
`

// claimScript notes, before the gate is open, an offset that a room has had of which this node
// has no events. Others may have what is before it: it counts when the gate is open.
const claimScript = `
local stream, state, pending, token = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local epoch, offset, stateAge = ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('GET', KEYS[3]) ~= pending then
	return -1
end
local had = redis.call('HMGET', state, 'vouched', 'epoch', 'ahead')
local function generation(name)
	return tonumber(string.match(name or '', '^%d+') or 0)
end
local ahead = tonumber(had[3] or 0)
if had[2] ~= epoch then
	if had[1] == token and generation(had[2]) >= generation(epoch) then
		return -1
	end
	redis.call('DEL', stream, state)
	redis.call('HSET', state, 'epoch', epoch, 'top', 0, 'bytes', 0)
	ahead = 0
end
redis.call('HSET', state, 'vouched', token, 'ahead', math.max(ahead, offset))
redis.call('PEXPIRE', state, stateAge)
return -1
`

// tail is what this node has of a room.
type tail struct {
	room string
	at   broker.Position // of the last
	list []broker.Delivery
}

// base is the position before the first.
func (t *tail) base() int64 { return t.at.Offset - int64(len(t.list)) }

// testify tells a server that has no gate yet what this node has got, and that this was
// all. What an earlier server sends still has come before that.
func (g *gate) testify(ctx context.Context, server redis.Cmdable, run, token string) error {
	w, ok := g.b.in.(broker.Witness)
	if ok {
		if err := g.l.settle(ctx); err != nil {
			return err
		}
		t := testimony{g: g, server: server, pending: run + " " + token, token: token}
		err := t.load(ctx)
		if err != nil {
			return err
		}
		w.Tails(func(room string, at broker.Position, list []broker.Delivery) bool {
			if g.b.linkOf(partitionOf(room)) == g.l.number && generationOf(at.Epoch) >= g.known.least {
				err = t.add(ctx, tail{room, at, list})
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		if err := t.tell(ctx); err != nil {
			return err
		}
	}
	p := server.Pipeline()
	p.HSet(ctx, g.heardKey(token), g.b.self.String(), g.known.String())
	p.PExpire(ctx, g.heardKey(token), gateAge)
	_, err := p.Exec(ctx)
	return err
}

// generationOf is that of an epoch.
func generationOf(epoch string) (n int) {
	text, _, _ := strings.Cut(epoch, ".")
	n, _ = strconv.Atoi(text)
	return n
}

// testimony is tails on their way to a server.
type testimony struct {
	g              *gate
	server         redis.Cmdable
	tail, claim    string // scripts
	pending, token string
	tails          []tail
}

func (t *testimony) load(ctx context.Context) (err error) {
	if t.tail, err = t.server.ScriptLoad(ctx, tailScript).Result(); err != nil {
		return err
	}
	t.claim, err = t.server.ScriptLoad(ctx, claimScript).Result()
	return err
}

func (t *testimony) add(ctx context.Context, x tail) error {
	t.tails = append(t.tails, x)
	if len(t.tails) < oneRead {
		return nil
	}
	return t.tell(ctx)
}

// tell asks what the server lacks of some rooms, and tells it that.
func (t *testimony) tell(ctx context.Context) error {
	p := t.server.Pipeline()
	replies := make([]*redis.Cmd, len(t.tails))
	for i := range t.tails {
		replies[i] = t.offer(ctx, p, &t.tails[i], 0, 0)
	}
	if _, err := p.Exec(ctx); err != nil {
		return err
	}
	for i := range t.tails {
		top, err := replies[i].Int64()
		if err != nil {
			return err
		}
		if err := t.rest(ctx, &t.tails[i], top); err != nil {
			return err
		}
	}
	t.tails = t.tails[:0]
	return nil
}

// rest tells what comes after the server's top.
func (t *testimony) rest(ctx context.Context, x *tail, top int64) error {
	for from := int(top - x.base()); top >= 0 && from < len(x.list); {
		to, size := from, 0
		for to < len(x.list) && size < oneWrite {
			size += len(x.list[to].Body)
			to++
		}
		if err := t.offer(ctx, t.server, x, from, to).Err(); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// evaluator is a client or a pipeline.
type evaluator interface {
	EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd
}

// offer tells the server a part of a tail.
func (t *testimony) offer(ctx context.Context, p evaluator, x *tail, from, to int) *redis.Cmd {
	b := t.g.b
	keys := []string{b.streamKey(x.room), b.stateKey(x.room), t.g.pendingKey()}
	if len(x.list) == 0 {
		return p.EvalSha(ctx, t.claim, keys, t.pending, t.token, x.at.Epoch, x.at.Offset, stateAge.Milliseconds())
	}
	age := x.list[len(x.list)-1].Keep.Age
	args := []any{t.pending, t.token, x.at.Epoch, x.base() + int64(from), max(age.Milliseconds(), 1), (stateAge + age).Milliseconds()}
	for i := range x.list[from:to] {
		e := &x.list[from+i].Envelope
		args = append(args, b.codec.Append(nil, e), e.From.String(), sequence(e.Seq))
	}
	return p.EvalSha(ctx, t.tail, keys, args...)
}

// sequence is a number as the scripts compare it.
func sequence(seq uint64) string { return fmt.Sprintf("%020d", seq) }
