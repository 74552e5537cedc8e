package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Streams says how JetStream keeps the rooms that have a history. All nodes have the same;
// what differs from what the server has is changed there. The zero value is complete.
type Streams struct {
	// Count is how many streams the rooms are spread over; another number begins all
	// histories anew. 0: 4.
	Count int
	// Replicas is how many servers of a NATS cluster keep each message: 3 survive the loss of
	// one. 0: 1, whose loss, or crash before it has written to its disk, begins histories
	// anew.
	Replicas int
	// Memory keeps messages in memory, and not in files.
	Memory bool
	// MaxAge is how long a message is kept at most: it bounds the TTL of rooms, and how
	// long the streams have what nobody can read any more. 0: a week.
	MaxAge time.Duration
	// MaxBytes bounds each stream. What is over it goes, the oldest first. 0: only what
	// the server allows.
	MaxBytes int64
	// Domain is the JetStream domain, if it is not that of the server.
	Domain string
}

const (
	defaultStreams = 4
	maxStreams     = 256
	defaultAge     = 7 * 24 * time.Hour
	maxDrift       = time.Hour // for the clock of the server to differ from ours
)

func (s *Streams) check() error {
	if s.Count < 0 || s.Count > maxStreams || s.Replicas < 0 || s.Replicas > 5 || s.MaxAge < 0 || s.MaxBytes < 0 {
		return fmt.Errorf("nats: Options.Streams: Count is 0 to %d, Replicas 0 to 5, and MaxAge and MaxBytes are not negative", maxStreams)
	}
	return nil
}

// streams are those of the cluster, which are made when they are needed.
type streams struct {
	making sync.Mutex // held while they are made

	mu     sync.Mutex // guards the fields below
	js     jetstream.JetStream
	list   []jetstream.Stream
	server time.Time // by the server's clock, when it was
	local  time.Time // by ours
}

// get returns the stream of a room.
func (b *Broker) stream(ctx context.Context, room string) (jetstream.Stream, error) {
	list, err := b.allStreams(ctx)
	if err != nil {
		return nil, err
	}
	return list[partOf(room, len(list))], nil
}

func (b *Broker) allStreams(ctx context.Context) ([]jetstream.Stream, error) {
	if list := b.streams.made(); list != nil {
		return list, nil
	}
	b.streams.making.Lock()
	defer b.streams.making.Unlock()
	if list := b.streams.made(); list != nil {
		return list, nil
	}
	return b.makeStreams(ctx)
}

// made returns the streams, unless it is long ago that they were asked for the time.
func (s *streams) made() []jetstream.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.local) > maxDrift {
		return nil
	}
	return s.list
}

// forget has the streams be made again: a server that has just started may have none.
func (s *streams) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

func (b *Broker) makeStreams(ctx context.Context) (list []jetstream.Stream, err error) {
	js, err := b.jetStream()
	if err != nil {
		return nil, err
	}
	var server time.Time
	for i := range b.opts.Streams.Count {
		s, err := makeStream(ctx, js, b.streamConfig(i))
		if err != nil {
			return nil, fmt.Errorf("nats: stream %s: %w", b.streamName(i), err)
		}
		list, server = append(list, s), s.CachedInfo().TimeStamp
	}
	b.streams.mu.Lock()
	defer b.streams.mu.Unlock()
	b.streams.list, b.streams.server, b.streams.local = list, server, time.Now()
	return list, nil
}

// makeStream asks more than once: servers of a cluster do not answer all who ask at the
// same time.
func makeStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) (jetstream.Stream, error) {
	for {
		once, cancel := context.WithTimeout(ctx, timeout/2)
		s, err := js.CreateOrUpdateStream(once, c)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return s, err
		}
	}
}

func (b *Broker) jetStream() (jetstream.JetStream, error) {
	b.streams.mu.Lock()
	defer b.streams.mu.Unlock()
	if b.streams.js != nil {
		return b.streams.js, nil
	}
	var err error
	if b.opts.Streams.Domain == "" {
		b.streams.js, err = jetstream.New(b.conn)
	} else {
		b.streams.js, err = jetstream.NewWithDomain(b.conn, b.opts.Streams.Domain)
	}
	return b.streams.js, err
}

// now is the time by the clock of the server, which is that of messages.
func (s *streams) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Add(time.Since(s.local))
}

func (b *Broker) streamConfig(i int) jetstream.StreamConfig {
	o := b.opts.Streams
	c := jetstream.StreamConfig{
		Name: b.streamName(i), Subjects: []string{b.keptSubject(i, "*")}, Description: "Rooms of nextrush with a history",
		RePublish: &jetstream.RePublish{Source: b.keptSubject(i, "*"), Destination: b.opts.Prefix + ".r.{{wildcard(1)}}"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxAge: o.MaxAge, MaxBytes: o.MaxBytes, Replicas: o.Replicas,
		AllowDirect: true, Storage: jetstream.FileStorage,
	}
	if o.Memory {
		c.Storage = jetstream.MemoryStorage
	}
	if b.opts.Partitions > 0 {
		c.Subjects = []string{b.keptSubject(i, "*.*")}
		c.RePublish = &jetstream.RePublish{Source: b.keptSubject(i, "*.*"), Destination: b.opts.Prefix + ".q.{{wildcard(1)}}"}
	}
	return c
}

func (b *Broker) streamName(i int) string {
	name := strings.ReplaceAll(b.opts.Prefix, ".", "=") + "-"
	if n := b.opts.Partitions; n > 0 {
		name += "p" + strconv.Itoa(n) + "-"
	}
	return name + strconv.Itoa(i)
}

// keptSubject is where the records of a room go, in stream i.
func (b *Broker) keptSubject(i int, rest string) string {
	kind := ".k."
	if n := b.opts.Partitions; n > 0 {
		kind = ".k" + strconv.Itoa(n) + "."
	}
	return b.opts.Prefix + kind + strconv.Itoa(i) + "." + rest
}

func (b *Broker) recordSubject(room string) string {
	rest := token(room)
	if n := b.opts.Partitions; n > 0 {
		rest = strconv.Itoa(partOf(room, n)) + "." + rest
	}
	return b.keptSubject(partOf(room, b.opts.Streams.Count), rest)
}

// CanKeep finds what the server lacks for rooms with a history. One that does not answer
// lacks nothing yet.
func (b *Broker) CanKeep(ctx context.Context) error {
	if b.in == nil || !b.conn.IsConnected() {
		return nil
	}
	if !atLeast(b.conn.ConnectedServerVersion(), 2, 10) {
		return fmt.Errorf("nats: server version %s is too old for rooms with history: it must be 2.10 at least", b.conn.ConnectedServerVersion())
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	before := b.conn.LastError()
	_, err := b.allStreams(ctx)
	if last := b.conn.LastError(); err != nil && last != before && isRefused(last) {
		return fmt.Errorf("nats: rooms with history need JetStream: %w", last)
	}
	var refused *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return errors.New("nats: rooms with history need JetStream, which this server or account does not have: start nats-server with -js, or leave History out")
	case errors.As(err, &refused) && refused.Code != 503: // 503 means that it cannot be reached at the moment
		return err
	}
	return nil
}

func atLeast(version string, major, minor int) bool {
	var a, b int
	fmt.Sscanf(version, "%d.%d", &a, &b)
	return a > major || a == major && b >= minor
}

var errNone = errors.New("nats: no such record")

// stored is what STREAM.MSG.GET answers.
type stored struct {
	Message struct {
		Seq  uint64    `json:"seq"`
		Data []byte    `json:"data"`
		Time time.Time `json:"time"`
	} `json:"message"`
	Error *jetstream.APIError `json:"error"`
}

// lookUp asks the leader of a stream for one record: what another replica has may be older.
func (b *Broker) lookUp(ctx context.Context, stream string, request any) (*record, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	m, err := b.conn.RequestWithContext(ctx, b.api("STREAM.MSG.GET."+stream), data)
	if err != nil {
		return nil, fmt.Errorf("nats: stream %s: %w", stream, err)
	}
	var s stored
	switch err := json.Unmarshal(m.Data, &s); {
	case err != nil:
		return nil, fmt.Errorf("nats: stream %s: %w", stream, err)
	case s.Error != nil && s.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, errNone
	case s.Error != nil:
		return nil, fmt.Errorf("nats: stream %s: %w", stream, s.Error)
	}
	r, err := parseRecord(s.Message.Data)
	if err == nil {
		r.placed(s.Message.Seq, s.Message.Time)
	}
	return r, err
}

func (b *Broker) api(name string) string {
	if d := b.opts.Streams.Domain; d != "" {
		return "$JS." + d + ".API." + name
	}
	return "$JS.API." + name
}

// last is the last record of a room.
func (b *Broker) last(ctx context.Context, room string) (*record, error) {
	s, err := b.stream(ctx, room)
	if err != nil {
		return nil, err
	}
	r, err := b.lookUp(ctx, s.CachedInfo().Config.Name, map[string]any{"last_by_subj": b.recordSubject(room)})
	if err != nil && !errors.Is(err, errNone) {
		b.streams.forget()
	}
	return r, err
}

const perRead = 256 // records

// read lists the records of a room from one place in its stream to another.
func (b *Broker) read(ctx context.Context, room string, from, to uint64) (list []*record, err error) {
	s, err := b.stream(ctx, room)
	if err != nil {
		return nil, err
	}
	name, subject := s.CachedInfo().Config.Name, b.recordSubject(room)
	for from <= to {
		part := b.readMany(ctx, name, subject, from)
		if len(part) == 0 {
			r, err := b.lookUp(ctx, name, map[string]any{"seq": from, "next_by_subj": subject})
			if errors.Is(err, errNone) {
				return list, nil
			}
			if err != nil {
				return nil, err
			}
			part = []*record{r}
		}
		list = append(list, part...)
		from = part[len(part)-1].seq + 1
	}
	return list, nil
}

// readMany asks any replica for records; none: it does not know how to, or has none.
func (b *Broker) readMany(ctx context.Context, stream, subject string, from uint64) (list []*record) {
	if !atLeast(b.conn.ConnectedServerVersion(), 2, 11) {
		return nil
	}
	inbox := b.conn.NewInbox()
	sub, err := b.conn.SubscribeSync(inbox)
	if err != nil {
		return nil
	}
	defer sub.Unsubscribe()
	request := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q,"batch":%d}`, from, subject, perRead)
	if b.conn.PublishRequest(b.api("DIRECT.GET."+stream), inbox, request) != nil {
		return nil
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil || m.Header.Get("Status") != "" {
			return list
		}
		r, err := parseRecord(m.Data)
		if err != nil {
			return list
		}
		r.placed(placeOf(m))
		list = append(list, r)
	}
}

// placeOf is where in its stream a message was stored, and when.
func placeOf(m *nats.Msg) (seq uint64, at time.Time) {
	seq, _ = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	at, _ = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	return seq, at
}
