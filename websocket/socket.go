package websocket

import (
	"context"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/hub"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// State is the stage of a socket's life.
type State uint8

const (
	StateConnecting State = iota // before the 101
	StateOpen                    // messages go both ways
	StateClosing                 // a close frame was sent or received
	StateClosed                  // nothing is sent or received any more
)

func (s State) String() string {
	return [...]string{"connecting", "open", "closing", "closed"}[s]
}

// Socket is one WebSocket connection, of a server or of a client. All methods
// are safe from any goroutine. Sends before the 101 are queued, joins take
// effect on it.
type Socket struct {
	conn   conn.Conn
	ns     *Namespace
	id     [16]byte
	ip     string
	path   string
	info   unique.Handle[handshakeInfo]
	opened int64 // Unix milliseconds

	onMessage atomic.Pointer[func(Message)]
	events    atomic.Pointer[eventTable]

	mu        sync.Mutex      // guards the fields below; conn is not called under it
	ctx       context.Context // the request's values, or, once it is used, a *life
	rooms     hub.Rooms[*Socket]
	values    map[string]any
	callbacks *callbacks
	presence  presence
	ended     bool  // the end is being told, or has been
	speaks    bool  // nextrush.v1; conn's owner is a *session then
	index     int32 // guarded by the namespace's crowd
}

// handshakeInfo holds handshake headers; it is interned, as many sockets have the same
// ones.
type handshakeInfo struct{ userAgent, origin, protocol string }

// presence tells whether a socket is in the rooms that it has joined.
type presence uint8

const (
	joining presence = iota // joins take effect with the 101
	present
	left // for good
)

func (ns *Namespace) newSocket(ctx context.Context) *Socket {
	s := &Socket{ns: ns, id: newID(), ctx: ctx, opened: time.Now().UnixMilli()}
	s.conn.Init(ns.conns, (*owner)(s), s.id[0])
	return s
}

// ID is 128 random bits in base64url, 22 characters.
func (s *Socket) ID() string { return base64.RawURLEncoding.EncodeToString(s.id[:]) }

// IP is the client's address without port; see Options.ClientIP.
func (s *Socket) IP() string { return s.ip }

// UserAgent is the header of that name in the handshake.
func (s *Socket) UserAgent() string { return s.info.Value().userAgent }

// Origin is the header of that name in the handshake; empty if the client is not a
// browser.
func (s *Socket) Origin() string { return s.info.Value().origin }

// Protocol is the subprotocol agreed on, or empty.
func (s *Socket) Protocol() string { return s.info.Value().protocol }

// Path is the path of the request.
func (s *Socket) Path() string { return s.path }

// State tells the stage of the socket's life.
func (s *Socket) State() State { return State(s.conn.Phase()) }

// ConnectedAt is when the handshake arrived.
func (s *Socket) ConnectedAt() time.Time { return time.UnixMilli(s.opened) }

// LastActivity is when bytes arrived last.
func (s *Socket) LastActivity() time.Time { return s.conn.LastActivity() }

// RTT is the time between the last ping of the heartbeat and its pong; 0
// before the first.
func (s *Socket) RTT() time.Duration { return s.conn.RTT() }

// Buffered is the number of bytes that wait to be written, those that a callback
// has sent and that leave at its end among them. If it is not 0, OnDrain runs when
// the queue has emptied.
func (s *Socket) Buffered() int { return s.conn.Buffered() }

// Set keeps a value with the socket.
func (s *Socket) Set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]any, 1)
	}
	s.values[key] = value
}

// Get returns the value that Set kept, or nil.
func (s *Socket) Get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// Value returns the value that Set kept under key; ok is false if there is none or it
// has another type.
func Value[T any](s *Socket, key string) (v T, ok bool) {
	v, ok = s.Get(key).(T)
	return v, ok
}

// Send queues a message: a string as text, a []byte as binary, a Message or a
// *Prepared as it is, anything else as JSON text. It never blocks and copies what it
// is given. ErrClosed, ErrSlowConsumer and ErrDropped are its errors besides those of
// encoding/json.
func (s *Socket) Send(v any) error {
	if p, ok := v.(*Prepared); ok {
		return s.SendPrepared(p)
	}
	t, data, err := encode(v)
	if err != nil {
		return err
	}
	return s.conn.Send(t.opcode(), data)
}

// SendText queues a text message. Text that is not UTF-8 is sent as it is, and
// a peer that checks will close with 1007.
func (s *Socket) SendText(text string) error { return s.conn.Send(wire.OpText, []byte(text)) }

// SendBinary queues a binary message.
func (s *Socket) SendBinary(data []byte) error { return s.conn.Send(wire.OpBinary, data) }

// SendJSON queues v as JSON text.
func (s *Socket) SendJSON(v any) error {
	data, err := envelope.JSON(v)
	if err != nil {
		return err
	}
	return s.conn.Send(wire.OpText, data)
}

// SendMessage queues m: the same type, the same bytes.
func (s *Socket) SendMessage(m Message) error {
	if err := m.Type.check(); err != nil {
		return err
	}
	return s.conn.Send(m.Type.opcode(), m.data)
}

// SendPrepared queues a message that was encoded once for many sockets.
func (s *Socket) SendPrepared(p *Prepared) error {
	if err := p.check(); err != nil {
		return err
	}
	return s.conn.SendFrame(&p.frame)
}

// takesBytes reports whether the peer takes binary events.
func (s *Socket) takesBytes() bool { return s.info.Value().protocol == Protocol }

// sendEnvelope sends an envelope with its arguments in the form that the peer takes.
func (s *Socket) sendEnvelope(env envelope.Out, args []any) error {
	if _, ok := envelope.LastBytes(args); ok && s.takesBytes() {
		if data, ok, err := env.Binary(args); ok || err != nil {
			return s.sendEncoded(wire.OpBinary, data, err)
		}
	}
	data, err := env.Text(args)
	return s.sendEncoded(wire.OpText, data, err)
}

func (s *Socket) sendEncoded(op wire.Opcode, data []byte, err error) error {
	if err != nil {
		return err
	}
	return s.conn.Send(op, data)
}

// Receive returns the next message that is not an event handled by On, and owns
// its bytes. It begins the reading if the handler has not returned yet. When
// the socket has ended it returns a *CloseError; when ctx ends, ctx.Err(), and
// the socket is as before. Use either Receive or OnMessage: while OnMessage is
// set, it gets the messages. In a callback of the same socket, which would wait
// for itself, it fails with ErrInCallback.
func (s *Socket) Receive(ctx context.Context) (Message, error) {
	if s.conn.InCallback() {
		return Message{}, ErrInCallback
	}
	op, data, err := s.conn.Receive(ctx)
	if err == conn.ErrClosed {
		err = s.end()
	}
	return Message{MessageType(op), data}, err
}

// Ping sends a ping with up to 125 bytes (RFC 6455 §5.5.2); longer data is cut.
// The heartbeat sends pings of its own.
func (s *Socket) Ping(data []byte) error { return s.conn.Ping(data) }

// Close starts the close handshake (RFC 6455 §7.1.2): what is queued is sent,
// then a close frame, then the peer's answer is awaited for CloseTimeout. It
// does not block. A reason over 123 bytes is cut. 0 sends no code and no reason,
// which is told as 1005; another code that must not be sent (RFC 6455 §7.4.1) is
// an error. Closing a second time does nothing.
func (s *Socket) Close(code StatusCode, reason string) error {
	return s.conn.Close(uint16(code), reason)
}

// Dismiss is Close for a client that is not to come back, which one of nextrush.v1 is
// told first; others do what they do after that code.
func (s *Socket) Dismiss(code StatusCode, reason string) error {
	if s.speaks {
		s.conn.Tell(conn.TextFrame(protocol.Farewell(reason)))
	}
	return s.Close(code, reason)
}

// end is how the socket ended.
func (s *Socket) end() *CloseError {
	e := s.conn.End()
	return &CloseError{Code: StatusCode(e.Code), Reason: e.Reason, Remote: e.Remote, Err: e.Err}
}

// Context ends with the socket; its cause is the *CloseError. It carries the
// request's values, not the request's cancellation.
func (s *Socket) Context() context.Context { return (*socketContext)(s) }

// socketContext is a socket as a context, which costs nothing before it is used.
type socketContext Socket

// life is the context that has been made for a socket.
type life struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *socketContext) use() *life {
	s := (*Socket)(c)
	l, over := s.makeLife()
	if over {
		l.cancel(s.end())
	}
	return l
}

// makeLife makes the context if there is none, and reports whether it is new and the
// socket has ended.
func (s *Socket) makeLife() (l *life, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.ctx.(*life); ok {
		return l, false
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(s.ctx))
	l = &life{ctx, cancel}
	s.ctx = l
	return l, s.presence == left
}

func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *socketContext) Done() <-chan struct{}       { return c.use().Done() }
func (c *socketContext) Err() error                  { return c.use().Err() }
func (c *socketContext) Value(key any) any           { return c.use().Value(key) }
