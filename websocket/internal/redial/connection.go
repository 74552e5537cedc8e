package redial

import (
	"encoding/json"
	"errors"
	"time"
)

const leastValidity = 5 * time.Second // of a credential that is worth renewing

// connection has a link to the server whenever that is possible, and judges when to try
// again. It knows nothing of what goes over it but hello, ping, pong and goaway.
type connection struct {
	c                         *Client
	waiting, handover, expiry timer

	state    State
	link     *link         // after its hello; nil: none
	spread   time.Duration // that the server has announced
	try      *attempt      // under way; nil: none
	why      Why           // of the next credential
	failed   int           // tries since the last good connection
	denied   int           // credentials since then
	next     time.Time     // when the server wants us to come back; zero: it has not said
	farewell string        // it does not want us back
}

func (n *connection) set(s State) {
	n.state = s
	n.c.tell(0, func(app App) { app.State(s) })
}

// begin opens a client that is idle or closed.
func (n *connection) begin() {
	n.failed, n.denied, n.why = 0, 0, First
	n.tryNow()
}

func (n *connection) start() { n.try = n.c.try(n.why) }

func (n *connection) tryNow() {
	n.start()
	n.set(State{Phase: Connecting, Attempt: n.failed + 1})
}

// stopTry stops the try that is under way.
func (n *connection) stopTry() {
	if n.try != nil {
		n.try.stop()
		n.try = nil
	}
}

func (n *connection) opened(l *link, hello *frame) {
	n.try, n.next, n.farewell, n.why = nil, time.Time{}, "", Again
	n.handover.clear()
	n.link, n.spread = l, ms(hello.Spread)
	beat := ms(hello.Beat)
	if beat == 0 {
		beat = defaultBeat
	}
	n.c.live.start(beat)
	n.expires(hello.Expires)
	n.state = State{Phase: Open, Since: n.c.now(), Resumed: hello.Resumed}
	n.c.opened(l, hello)
	n.set(n.state)
}

// refused tells that a try has failed. In a hand-over the old link stays until the server
// ends it.
func (n *connection) refused(end End, err error) {
	n.try = nil
	if err != nil {
		n.c.tellFailed(err)
	}
	if n.link == nil {
		n.judge(end, false)
	}
}

// alive notes that the server is, though it has sent no message.
func (n *connection) alive(l *link) {
	if l == n.link && n.c.live.running {
		if n.c.live.suspicious {
			n.c.rtt = n.c.live.since(n.c.live.asked)
		}
		n.c.live.hear()
	}
}

// received takes a message; f is its frame, nil: it is the app's own.
func (n *connection) received(l *link, m Message, f *frame) {
	if l == n.link {
		n.c.live.hear()
	}
	if f == nil || n.c.o.Plain {
		n.c.received(l, m, f)
		return
	}
	switch f.Type {
	case "ping":
		if f.Spread > 0 {
			n.spread = ms(f.Spread)
		}
		if answerable(f.T) {
			pong, _ := json.Marshal(struct {
				Type string          `json:"type"`
				T    json.RawMessage `json:"t"`
			}{"pong", f.T})
			l.send(Message{Data: pong})
		}
	case "goaway":
		if l == n.link {
			n.goaway(f)
		}
	case "pong", "hello":
	default:
		n.c.received(l, m, f)
	}
}

// goaway tells that the server is about to end this link.
func (n *connection) goaway(f *frame) {
	switch {
	case !f.Retry:
		n.farewell = f.Reason
		if f.Reason == "" {
			n.farewell = "goaway"
		}
	case n.next.IsZero():
		wait := between(n.c.o.Random(), ms(f.After[0]), max(ms(f.After[0]), ms(f.After[1])))
		n.next = n.c.now().Add(wait)
		n.handover.set(wait, n.start)
	}
}

// expires has the credential renewed before its end, which is in Unix milliseconds.
func (n *connection) expires(end float64) {
	rest := at(end).Sub(n.c.now())
	if n.c.o.Token == nil || rest <= leastValidity {
		return // the server will say that it has expired
	}
	l := n.link
	n.expiry.set(between(n.c.o.Random(), rest*8/10, rest*9/10), func() {
		n.c.wait.Go(func() { n.renew(l, end) })
	})
}

// renew waits for a new credential, and sends it over the link whose old one ends.
func (n *connection) renew(l *link, end float64) {
	token, err := n.c.token(n.c.life, Expiring)
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if l != n.link {
		return
	}
	if err != nil {
		n.renewed(end, err)
		return
	}
	n.c.ask(out{Type: "auth", Token: token}, nil, Manner{setup: n.c.session}, func(reply *Event, err error) {
		if l != n.link {
			return
		}
		if err == nil {
			var answer struct{ Expires float64 }
			reply.read(&answer)
			end = answer.Expires
		}
		n.renewed(end, err)
	})
}

func (n *connection) renewed(end float64, err error) {
	if err != nil && !errors.Is(err, ErrNoCredential) {
		n.c.tellFailed(err)
	}
	n.expires(end)
}

// cut ends the link, and has another tried.
func (n *connection) cut(code int, reason string) {
	if n.link != nil {
		n.link.part(code, reason)
		n.lost(ending(code, reason, ByUs))
	}
}

// ended tells that a link has ended.
func (n *connection) ended(l *link, end End) {
	switch {
	case l.parted:
	case l == n.link:
		n.lost(end)
	default: // one that a hand-over has left
		n.c.gone(l)
	}
}

func (n *connection) lost(end End) {
	gone := n.link
	gone.parted = true
	n.link = nil
	n.stopTry() // a hand-over: it would begin a new session
	n.c.live.end()
	n.expiry.clear()
	n.handover.clear()
	good := n.c.now().Sub(n.state.Since) >= n.c.o.Stable
	if good {
		n.failed, n.denied = 0, 0
	} else {
		n.spread = 0 // which is for when a server is lost that had been there
	}
	if n.farewell != "" {
		end.Reason, end.Final = n.farewell, true
	}
	n.c.gone(gone)
	n.judge(end, good)
}

// judge decides what follows an end. good: of a good connection.
func (n *connection) judge(end End, good bool) {
	if _, _, ok := windowIn(end.Reason); ok {
		end.Final = false
	}
	expired := end.Code == 4401 || end.Status == 401
	if expired {
		n.denied++
		end.Final = n.denied > 1
	}
	if end.Final {
		n.finish(end)
		return
	}
	wait := n.c.o.backoff(&end, n.failed, good, n.spread)
	if !n.next.IsZero() {
		wait = max(0, n.next.Sub(n.c.now()))
	}
	n.next = time.Time{}
	if !good {
		n.failed++
	}
	if expired {
		n.why, wait = Expired, 0
	}
	n.waiting.set(wait, n.tryNow)
	n.set(State{Phase: Waiting, Attempt: n.failed + 1, Until: n.c.now().Add(wait), Why: end})
}

// finish closes for good.
func (n *connection) finish(end End) {
	n.stopTry()
	n.next, n.farewell = time.Time{}, ""
	n.waiting.clear()
	n.handover.clear()
	n.expiry.clear()
	n.c.live.end()
	n.state = State{Phase: Closed, Why: end}
	n.c.closed()
	n.set(n.state)
}
