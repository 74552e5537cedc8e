package websocket

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/handshake"
	"github.com/nextrush/nextrush/websocket/internal/redial"
)

// Client keeps up one connection to a server. It connects again when the connection is
// lost; keeps what cannot be sent yet; settles every request; and gets, if the server keeps
// a history, what it has missed. It speaks [Protocol].
//
// All methods are safe from any goroutine. Callbacks are registered before Run or later;
// they run in the goroutine that calls Run, one at a time, in the order of what they are
// told, and under no lock. They may call every method, and may wait for a request: until
// they return, up to 1,024 messages or 1 MiB wait for them, and then the server does. A
// panic in one is told to OnError, and changes nothing.
type Client struct {
	core    *redial.Client
	opts    ClientOptions
	url     *url.URL
	invalid error // of what NewClient was given
	running atomic.Bool

	mu       sync.Mutex // guards the fields below
	handlers map[handlerKey][]func(*Event)
	requests map[string]func(context.Context, *Event) (any, error)
	presence map[string][]func(PresenceChange)
	state    []func(ClientState)
	gap      []func(Gap)
	dropped  []func(Dropped)
	err      []func(error)
	message  func(Message)
	ctx      context.Context // of Run
}

// handlerKey is an event, in a room or, without one, anywhere.
type handlerKey struct{ room, event string }

// NewClient makes a client of a ws or wss URL, which connects when Run is called. What is
// wrong with its arguments is the error of Run.
func NewClient(rawURL string, opts *ClientOptions) *Client {
	c := &Client{handlers: make(map[handlerKey][]func(*Event)), requests: make(map[string]func(context.Context, *Event) (any, error)),
		presence: make(map[string][]func(PresenceChange)), ctx: context.Background()}
	if opts != nil {
		c.opts = *opts
	}
	c.url, c.invalid = handshake.ParseURL(rawURL)
	c.invalid = cmp.Or(c.invalid, c.opts.check())
	c.core = redial.New(c.opts.core(c))
	return c
}

// Run connects, and connects again, until ctx ends or the end is final, and returns when
// everything has ended. Its error is that of ctx; a *CloseError after Close, and when the
// server does not want the client back; a *HandshakeError when it has refused it for good.
// It may be called again.
func (c *Client) Run(ctx context.Context) error {
	if c.invalid != nil {
		return c.invalid
	}
	if !c.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer c.running.Store(false)
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	c.core.Listen(true)
	defer c.core.Listen(false)
	c.core.Open()
	defer c.core.Wait()
	defer c.Close() // also if a callback ends the goroutine
	defer context.AfterFunc(ctx, c.Close)()
	for c.core.Work(); c.core.State().Phase != redial.Closed; c.core.Work() {
		<-c.core.Woken()
	}
	c.core.Wait()
	c.core.Work() // what was told last
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.end()
}

// end is how the client was closed.
func (c *Client) end() error { return publicEnd(c.core.State().Why) }

// Close ends the session and all that waits, and Run. It does not block.
func (c *Client) Close() { c.core.Close(int(StatusNormalClosure), "") }

// State tells what the client does.
func (c *Client) State() ClientState { return publicState(c.core.State()) }

// ID is what the server calls this client: [Socket.ID] there. Empty: there is no session.
func (c *Client) ID() string { return c.core.ID() }

// RTT is how long the server took to answer the last ping, which is sent when something
// seems to be wrong; 0: there was none.
func (c *Client) RTT() time.Duration { return c.core.RTT() }

// Buffered is how many messages wait to be sent, and how many bytes they have.
func (c *Client) Buffered() (messages, bytes int) { return c.core.Buffered() }

// On registers f to run with each event of that name that wants no reply. The event has no
// Socket; see [Event.Meta].
func (c *Client) On(event string, f func(*Event)) { c.on(handlerKey{"", event}, f) }

func (c *Client) on(key handlerKey, f func(*Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[key] = append(c.handlers[key], f)
}

// Off removes what On has registered for an event.
func (c *Client) Off(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.handlers, handlerKey{"", event})
}

// Handle registers f to answer a request of the server, and takes the place of the one
// before. The error reply is as for the handlers of [On]; ctx is Run's.
func (c *Client) Handle(event string, f func(ctx context.Context, e *Event) (any, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[event] = f
}

// OnMessage registers f to run with each message that is not one of the protocol, and takes
// the place of the one before.
func (c *Client) OnMessage(f func(Message)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.message = f
}

// OnState registers f to run when the state changes.
func (c *Client) OnState(f func(ClientState)) { register(c, &c.state, f) }

// OnGap registers f to run when messages are missing: the place to load state anew.
func (c *Client) OnGap(f func(Gap)) { register(c, &c.gap, f) }

// OnDropped registers f to run with each event that Emit had taken and that was not sent.
func (c *Client) OnDropped(f func(Dropped)) { register(c, &c.dropped, f) }

// OnError registers f to run with errors of Token and Setup, with those of Handle that are
// not for the server, and with the *PanicError of a callback.
func (c *Client) OnError(f func(error)) { register(c, &c.err, f) }

func register[F any](c *Client, list *[]F, f F) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(slices.Clip(*list), f)
}

// registered is a list as it is now.
func registered[F any](c *Client, list *[]F) []F {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *list
}

// Emit sends an event, as [Socket.Emit] does, or has it wait for a connection. Its errors
// are ErrBufferFull, ErrTooBig, ErrClosed and those of encoding/json. An event that was
// taken arrives in order, and at most once. It is lost if it was sent to a connection that
// was dead already, which OnDropped is told only if the server has Options.Resume: then it
// arrives once in a session that goes on, and of one that does not it may do both. What
// must arrive is for Request, with [Client.Repeat].
func (c *Client) Emit(event string, args ...any) error { return Manner{c: c}.Emit(event, args...) }

// Request sends an event, and waits for its reply. It always returns: with a reply; with an
// *EventError if the server answers with one; with a *TimeoutError after the deadline of ctx,
// or after RequestTimeout if it has none; with a *LostError if the session is lost; with a
// *CloseError, which is ErrClosed, if the client is closed; with ctx.Err() if ctx is
// canceled; or with an error of encoding/json.
func (c *Client) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	return Manner{c: c}.Request(ctx, event, args...)
}

// Send sends a message that is not an event, as Socket.Send does, or has it wait. Its errors
// are those of Emit.
func (c *Client) Send(v any) error {
	t, data, err := encode(v)
	if err != nil {
		return err
	}
	return c.public(c.core.Send(redial.Message{Binary: t == Binary, Data: slices.Clone(data)}))
}

// Manner is a way to send, from [Client.Volatile], [Client.Within] or [Client.Repeat]. It is
// a value, and safe from any goroutine.
type Manner struct {
	c *Client
	m redial.Manner
}

// Volatile sends now or never: Emit fails with ErrDropped if there is no connection, or if
// the server is slow. It is good for positions and prices that the next message replaces.
func (c *Client) Volatile() Manner { return Manner{c, redial.Manner{Volatile: true}} }

// Within lets an event wait for age instead of Buffer.Age.
func (c *Client) Within(age time.Duration) Manner {
	return Manner{c, redial.Manner{Age: max(age, 1)}}
}

// Repeat asks again when a request is lost, with the same key, so that the server can
// answer it from memory: see [Once]. Use a key for one request; empty: each gets a random
// one.
func (c *Client) Repeat(key string) Manner { return Manner{c, redial.Manner{Retry: true, Key: key}} }

// Emit is [Client.Emit].
func (m Manner) Emit(event string, args ...any) error {
	body, err := m.c.body(args)
	if err != nil {
		return err
	}
	return m.c.public(m.c.core.Emit(event, body, m.m))
}

// Request is [Client.Request].
func (m Manner) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	body, err := m.c.body(args)
	if err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); ok {
		m.m.Timeout = -1
	}
	if m.m.Retry {
		m.m.Key = cmp.Or(m.m.Key, randomKey())
	}
	reply, err := m.c.core.Request(ctx, event, body, m.m)
	if err != nil {
		return nil, m.c.public(err)
	}
	return m.c.event(reply), nil
}

// Requester is a *Client, a *Socket or a Manner.
type Requester interface {
	Request(ctx context.Context, event string, args ...any) (*Event, error)
}

// Ask is Request with one argument, and the first of the reply decoded. Its errors are
// those of Request, and an *EventError if the reply cannot be decoded. Safe from any
// goroutine, as far as Request is.
func Ask[In, Out any](ctx context.Context, to Requester, event string, in In) (out Out, err error) {
	e, err := to.Request(ctx, event, in)
	if err != nil {
		return out, err
	}
	return out, e.Bind(0, &out)
}

// body encodes arguments. The bytes of the last one are sent as they are, and borrowed.
func (c *Client) body(args []any) (b redial.Body, err error) {
	if last, ok := envelope.LastBytes(args); ok && !c.opts.Plain {
		if b.Bytes = last; last == nil {
			b.Bytes = []byte{}
		}
		args = args[:len(args)-1]
	}
	b.Data, err = envelope.Args(args)
	return b, err
}

// public is an error of the client behind c as it is documented.
func (c *Client) public(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *redial.Refusal:
		return &EventError{e.Message, e.Errors}
	case *redial.TimedOut:
		return &TimeoutError{e.Sent}
	case *redial.Lost:
		return &LostError{Ran(e.Ran), c.public(e.Err)}
	case *redial.PanicError:
		return &PanicError{e.Value, e.Stack}
	}
	switch err {
	case redial.ErrVolatile:
		return ErrDropped
	case redial.ErrClosed:
		if s := c.core.State(); s.Phase == redial.Closed {
			return publicEnd(s.Why)
		}
		return ErrClosed
	}
	return err
}

func (c *Client) event(e *redial.Event) *Event {
	return &Event{Name: e.Name, args: e.Args, rare: &rareEvent{bytes: e.Bytes, key: e.Key, client: c,
		meta: Meta{e.At, e.Room, e.Offset, e.Replayed}}}
}
