package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Scripts are neither stored nor replicated (Redis 7.0), and ours have the token of the open
// gate in their text: a server that has just started does not know them (NOSCRIPT), and on
// one that has become the master again they find that another gate is open.

// keepScript adds envelopes to a room's stream, unless they are there, and publishes them.
const keepScript = `
local open, run, generation, goesOn = '%s', '%s', '%d', %t
if redis.call('GET', KEYS[3]) ~= open then
	return redis.error_reply('NOSCRIPT of an earlier run')
end
local stream, state = KEYS[1], KEYS[2]
local channel, node, most, size, age = ARGV[1], 'n' .. ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local had = redis.call('HMGET', state, 'run', 'epoch', 'top', 'bytes', node, 'vouched')
local epoch, top, bytes, last = had[2], tonumber(had[3] or 0), tonumber(had[4] or 0), had[5]
if had[1] ~= run and had[6] == run and goesOn then
	redis.call('HSET', state, 'run', run)
	local ahead = tonumber(redis.call('HGET', state, 'ahead') or 0)
	if ahead > top then -- some of it has come to a node, and what was before it to none
		redis.call('DEL', stream)
		top, bytes = ahead, 0
	end
elseif had[1] ~= run then
	epoch, top, bytes, last = generation .. '.' .. ARGV[6], 0, 0, false
	redis.call('DEL', stream, state)
	redis.call('HSET', state, 'run', run, 'epoch', epoch)
end
if redis.call('EXISTS', stream) == 0 then
	bytes = 0
end
for i = 9, #ARGV, 2 do
	local seq, message = ARGV[i], ARGV[i + 1]
	if seq == '' then
		redis.call(ARGV[7], channel, message)
	elseif not last or seq > last then
		last, top, bytes = seq, top + 1, bytes + #message
		redis.call('XADD', stream, top .. '-0', 'm', message)
		local n = redis.call('XLEN', stream)
		while n > 0 and (n > most or bytes > size) do
			local old = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
			redis.call('XDEL', stream, old[1])
			bytes = bytes - #old[2][2]
			n = n - 1
		end
		redis.call(ARGV[7], channel, 'K' .. epoch .. ' ' .. top .. ' ' .. message)
	end
end
if redis.call('HLEN', state) > 256 then -- nodes that are long gone
	for _, name in ipairs(redis.call('HKEYS', state)) do
		if string.sub(name, 1, 1) == 'n' then
			redis.call('HDEL', state, name)
		end
	end
end
redis.call('HSET', state, 'top', top, 'bytes', bytes, node, last)
redis.call('PEXPIRE', stream, age)
redis.call('PEXPIRE', state, ARGV[8])
return top
`

// sinceScript returns the epoch, the top, whether all is there, and the envelopes with
// the first of their offsets.
const sinceScript = `
local open, run, generation, goesOn = '%s', '%s', '%d', %t
if redis.call('GET', KEYS[3]) ~= open then
	return redis.error_reply('NOSCRIPT of an earlier run')
end
local stream, state = KEYS[1], KEYS[2]
local epoch, after, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local had = redis.call('HMGET', state, 'run', 'epoch', 'top', 'vouched')
if had[1] ~= run and had[4] == run and goesOn then
	redis.call('HSET', state, 'run', run)
	local ahead = tonumber(redis.call('HGET', state, 'ahead') or 0)
	if ahead > tonumber(had[3] or 0) then -- some of it has come to a node, and what was before it to none
		redis.call('DEL', stream)
		redis.call('HSET', state, 'top', ahead, 'bytes', 0)
		had[3] = ahead
	end
elseif had[1] ~= run then
	redis.call('DEL', stream, state)
	local fresh = generation .. '.' .. ARGV[4]
	redis.call('HSET', state, 'run', run, 'epoch', fresh, 'top', 0)
	redis.call('PEXPIRE', state, ARGV[5])
	return {fresh, 0, epoch == '' and 1 or 0}
end
local top = tonumber(had[3])
if limit == 0 then
	return {had[2], top, 1}
end
if epoch ~= '' and (epoch ~= had[2] or after > top) then
	return {had[2], top, 0}
end
local from = '-'
if epoch ~= '' then
	from = (after + 1) .. '-0'
end
local list = redis.call('XRANGE', stream, from, '+', 'COUNT', limit)
local first = list[1] and tonumber(string.match(list[1][1], '^%%d+')) or top + 1
if epoch ~= '' and first ~= after + 1 then
	return {had[2], top, 0}
end
local messages = {had[2], top, 1, first}
for _, item in ipairs(list) do
	messages[#messages + 1] = item[2][2]
end
return messages
`

// stateAge is how long the epoch and the top of a room are kept that nobody uses: longer
// than what was said there, so that who was in it is not told of a loss that is none.
const stateAge = 24 * time.Hour

func newEpoch() string { return rand.Text()[:12] }

// Since reads what a room has kept.
func (b *Broker) Since(ctx context.Context, room string, after broker.Position, limit int) (page broker.Page, err error) {
	if b.in == nil {
		return page, errors.New("redis: not started")
	}
	g := b.gateOf(room)
	for range 2 { // a server that has just started does not know the scripts
		s, err := g.of(ctx)
		if err != nil {
			return page, err
		}
		reply, err := b.client.EvalSha(ctx, s.since, []string{b.streamKey(room), b.stateKey(room), g.openKey()}, after.Epoch, after.Offset, limit,
			newEpoch(), stateAge.Milliseconds()).Slice()
		if err == nil {
			return b.page(reply)
		}
		if !redis.HasErrorPrefix(err, "NOSCRIPT") {
			return page, err
		}
		g.forget(s)
	}
	return page, errors.New("redis: the server forgets scripts faster than they are loaded")
}

var errReply = errors.New("redis: a script has answered something else")

// page reads the answer of sinceScript.
func (b *Broker) page(reply []any) (page broker.Page, err error) {
	if len(reply) < 3 {
		return page, errReply
	}
	epoch, isText := reply[0].(string)
	top, isNumber := reply[1].(int64)
	whole, _ := reply[2].(int64)
	if !isText || !isNumber {
		return page, errReply
	}
	page.Top = broker.Position{Epoch: epoch, Offset: top}
	if whole != 1 {
		return page, broker.ErrGone
	}
	if len(reply) < 4 {
		return page, nil
	}
	first, _ := reply[3].(int64)
	for i, v := range reply[4:] {
		text, ok := v.(string)
		if !ok {
			return page, errReply
		}
		d := broker.Delivery{Position: broker.Position{Epoch: epoch, Offset: first + int64(i)}}
		if d.Envelope, err = b.codec.Decode([]byte(text)); err != nil {
			return page, err
		}
		page.Deliveries = append(page.Deliveries, d)
	}
	return page, nil
}
