package websocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/redial"
)

// ClientOptions configures a Client. The zero value and nil are complete.
type ClientOptions struct {
	// Dial says how each connection is opened, and its Options what a connection keeps to.
	// Protocols are offered after [Protocol]; Handler is not used, and of Options neither are
	// PingInterval, PongTimeout and SlowConsumer. 0 for CloseTimeout is 1 s here, and for
	// SendQueue 8 MiB.
	Dial DialOptions
	// Token gives the bearer token of a connection, which goes into the header
	// Authorization, and a newer one when it expires. why says what for. ErrNoCredential
	// ends Run; any other error is a failed try. It runs in a goroutine of its own, which Run
	// waits for: it is to return when ctx ends. nil: none is sent.
	Token func(ctx context.Context, why TokenReason) (string, error)
	// Setup prepares a new session on the server, as by a login. What it sends by first goes
	// before all that waits. It does not run if a session was resumed. Its error is a failed
	// try. It runs as Token does.
	Setup func(ctx context.Context, first Manner) error

	Buffer         Buffer
	Backoff        Backoff
	Stable         time.Duration // a connection that lasts as long was good; 0: 10 s
	ConnectTimeout time.Duration // of a try, Token and the server's hello included; 0: 10 s
	ProbeTimeout   time.Duration // for the server to answer a ping; 0: 5 s
	RequestTimeout time.Duration // of a request whose context has no deadline, from the call; 0: 10 s

	// Plain is for servers that do not speak [Protocol]: messages, events and requests go
	// both ways, and the client connects again, but nothing is resumed or replayed.
	Plain bool
}

// Buffer bounds what waits to be sent, and, separately, what was sent and may have to be
// sent again.
type Buffer struct {
	Messages int           // 0: 256
	Bytes    int           // 0: 256 KiB
	Age      time.Duration // that an event may wait; 0: 30 s
}

// Backoff says how long a Client waits before it tries again: a random time, after a good
// connection up to First, or up to what the server has announced if that is longer, and
// otherwise up to Base, doubled with each failure, up to Cap. A server may tell another
// time, in a close reason or by Retry-After.
type Backoff struct {
	Base  time.Duration // 0: 1 s
	Cap   time.Duration // 0: 30 s
	First time.Duration // 0: 1 s
}

// TokenReason is why a token is asked for.
type TokenReason uint8

// The reasons for a token.
const (
	TokenFirst    = TokenReason(redial.First)    // for the first connection
	TokenAgain    = TokenReason(redial.Again)    // for a later one
	TokenExpiring = TokenReason(redial.Expiring) // the one in use will end, and is renewed on the open connection
	TokenExpired  = TokenReason(redial.Expired)  // the server has refused the last one
)

func (r TokenReason) String() string {
	return [...]string{"first", "again", "expiring", "expired"}[r]
}

const (
	clientCloseTimeout = time.Second
	clientSendQueue    = 8 << 20 // of a connection; what waits because the server is slow does so in Buffer
)

// core makes the options of the client behind c.
func (o *ClientOptions) core(c *Client) redial.Options {
	out := redial.Options{
		Dial: c.dial,
		Base: cmp.Or(o.Backoff.Base, time.Second), Cap: cmp.Or(o.Backoff.Cap, 30*time.Second), First: cmp.Or(o.Backoff.First, time.Second),
		Stable:         cmp.Or(o.Stable, 10*time.Second),
		ConnectTimeout: cmp.Or(o.ConnectTimeout, 10*time.Second),
		ProbeTimeout:   cmp.Or(o.ProbeTimeout, 5*time.Second),
		RequestTimeout: cmp.Or(o.RequestTimeout, 10*time.Second),
		Messages:       cmp.Or(o.Buffer.Messages, 256),
		Bytes:          cmp.Or(o.Buffer.Bytes, 256<<10),
		Age:            cmp.Or(o.Buffer.Age, 30*time.Second),
		Plain:          o.Plain, Clock: wallClock{}, Random: rand.Float64, App: (*program)(c),
	}
	if f := o.Token; f != nil {
		out.Token = func(ctx context.Context, why redial.Why) (string, error) { return f(ctx, TokenReason(why)) }
	}
	if f := o.Setup; f != nil {
		out.Setup = func(ctx context.Context, first redial.Manner) error { return f(ctx, Manner{c, first}) }
	}
	return out
}

func (o *ClientOptions) check() error {
	for _, d := range []time.Duration{o.Backoff.Base, o.Backoff.Cap, o.Backoff.First, o.Stable, o.ConnectTimeout, o.ProbeTimeout, o.RequestTimeout, o.Buffer.Age} {
		if d < 0 {
			return errors.New("websocket: durations of ClientOptions must not be negative")
		}
	}
	if o.Buffer.Messages < 0 || o.Buffer.Bytes < 0 {
		return errors.New("websocket: Buffer must not be negative")
	}
	_, err := o.Dial.Options.withDefaults()
	return err
}

// wallClock is the time, without the monotonic clock, which stands while a machine sleeps.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now().Round(0) }

func (wallClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// ClientPhase is what a Client does.
type ClientPhase uint8

// What a Client does.
const (
	ClientIdle       = ClientPhase(redial.Idle)       // Run was not called yet
	ClientConnecting = ClientPhase(redial.Connecting) // a try is under way
	ClientOpen       = ClientPhase(redial.Open)       // messages flow
	ClientWaiting    = ClientPhase(redial.Waiting)    // for the next try
	ClientClosed     = ClientPhase(redial.Closed)     // it does not try again
)

func (p ClientPhase) String() string {
	return [...]string{"idle", "connecting", "open", "waiting", "closed"}[p]
}

// ClientState is what a Client does, with particulars.
type ClientState struct {
	Phase   ClientPhase
	Attempt int       // connecting and waiting: the number of the try since the last good connection, from 1
	Since   time.Time // open: since then
	Resumed bool      // open: the session went on, and nothing was lost
	Until   time.Time // waiting: the next try
	// Err is how the last connection or try ended, when waiting and closed: a *CloseError, or
	// the *HandshakeError of a server that has refused it.
	Err error
}

func publicState(s redial.State) ClientState {
	out := ClientState{ClientPhase(s.Phase), s.Attempt, s.Since, s.Resumed, s.Until, nil}
	if s.Phase >= redial.Waiting {
		out.Err = publicEnd(s.Why)
	}
	return out
}

func publicEnd(end redial.End) error {
	if refused, ok := errors.AsType[*HandshakeError](end.Err); ok {
		return refused
	}
	if end.Err != nil && end.Reason == end.Err.Error() {
		end.Reason = ""
	}
	return &CloseError{Code: StatusCode(end.Code), Reason: end.Reason, Remote: end.By == redial.ByServer, Err: end.Err}
}

// Gap tells that messages are missing, and will not come.
type Gap struct {
	Room     string    // with history; empty: of what was sent to this client alone
	From, To *Position // of the last message that came, and of the one that the next will follow; nil: unknown
	Why      string    // "expired", "overflow", "epoch": the server's history is another; "session": the session is
}

// Dropped is an event that Emit had taken and that was not sent, or, if Err is ErrClosed,
// perhaps not processed.
type Dropped struct {
	Event string
	Err   error // ErrTooOld, ErrTooBig or ErrClosed
}

// PresenceChange tells who has come to a room and who has gone, in the order of their
// names.
type PresenceChange struct {
	Joined, Left []string
	Sync         bool // compared with what was known before a new session, or before there were too many
}

// Errors of a Client.
var (
	// ErrBufferFull is returned when there is no room for what has to wait.
	ErrBufferFull = redial.ErrFull
	// ErrTooBig is returned for a message that is longer than the server takes.
	ErrTooBig = redial.ErrTooBig
	// ErrTooOld tells that an event has waited for longer than Buffer.Age.
	ErrTooOld = redial.ErrTooOld
	// ErrNoCredential is for ClientOptions.Token to return: no token is to be had, and Run
	// ends.
	ErrNoCredential = redial.ErrNoCredential
	// ErrRunning is returned by Client.Run while it runs.
	ErrRunning = errors.New("websocket: the client runs already")
)

// Ran tells whether a request that was lost was carried out.
type Ran uint8

// Whether a request was carried out.
const (
	RanUnknown = Ran(redial.Unknown) // it was sent
	RanNo      = Ran(redial.No)      // it was not
	RanYes     = Ran(redial.Yes)     // the server has processed it, and the reply is lost
)

func (r Ran) String() string { return [...]string{"unknown", "no", "yes"}[r] }

// LostError is the error of a request whose connection was lost with the session, or that
// could not be sent.
type LostError struct {
	Ran Ran
	Err error // why it was not sent, such as ErrBufferFull; nil: it was
}

func (e *LostError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return fmt.Sprintf("websocket: connection lost; request carried out: %s", e.Ran)
}

// Unwrap gives why the request was not sent, or nil.
func (e *LostError) Unwrap() error { return e.Err }

// TimeoutError is the error of a request that was not answered in time. It is
// context.DeadlineExceeded.
type TimeoutError struct {
	Sent bool // it may have been carried out
}

func (e *TimeoutError) Error() string {
	if e.Sent {
		return "websocket: no reply in time"
	}
	return "websocket: request could not be sent in time"
}

// Timeout reports true.
func (e *TimeoutError) Timeout() bool { return true }

// Is says that it is context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
