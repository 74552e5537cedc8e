package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// speaking is the offer of a client of nextrush.v1.
const speaking = "Sec-WebSocket-Protocol: nextrush.v1"

// hello reads the hello, which must be the first frame.
func (c *raw) hello() map[string]any {
	c.t.Helper()
	m := c.json()
	if m["type"] != "hello" {
		c.t.Fatalf("the first frame is %v, want a hello", m)
	}
	return m
}

// json reads a text frame with an object.
func (c *raw) json() (m map[string]any) {
	c.t.Helper()
	f, ok := c.next()
	if !ok {
		c.t.Fatal("connection ended, want a text frame")
	}
	if err := json.Unmarshal(f.payload, &m); f.Op != wire.OpText || err != nil {
		c.t.Fatalf("frame is %d %.80q, want an object: %v", f.Op, f.payload, err)
	}
	return m
}

// hear reads a text frame, and compares it but for timestamps, of which it takes the
// digits out.
func (c *raw) hear(want string) {
	c.t.Helper()
	f, ok := c.next()
	if !ok {
		c.t.Fatalf("connection ended, want %s", want)
	}
	got := timestamps.ReplaceAllString(string(f.payload), `"timestamp":0`)
	if f.Op != wire.OpText || got != want {
		c.t.Fatalf("frame is %d %s\nwant %s", f.Op, got, want)
	}
}

var timestamps = regexp.MustCompile(`"timestamp":\d+`)

func TestHelloComesInOneWriteWithThe101(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{Protocols: []string{"chat"}}, func(s *Socket) error { return s.SendText("after") })
		c := st.connect(t)
		go io.WriteString(c.conn, greeting("Sec-WebSocket-Protocol: chat, bearer, resume.abc.7, token, nextrush.v1"))
		buf := make([]byte, 64<<10)
		read, err := c.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		text := string(buf[:read])
		if !strings.Contains(text, "Sec-WebSocket-Protocol: nextrush.v1\r\n") {
			t.Errorf("the answer is %q", text)
		}
		_, frames, _ := strings.Cut(text, "\r\n\r\n")
		if !strings.Contains(frames, `"resumed":false,"why":"unknown"`) || !strings.Contains(frames, `"type":"hello"`) {
			t.Errorf("with the 101 comes %q, want the hello", frames)
		}
	})
}

func TestHelloTellsWhatAClientNeeds(t *testing.T) {
	expires := time.UnixMilli(1_900_000_000_123)
	srv := NewServer(Options{MaxMessageSize: 4096})
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
		h.Socket().SetCredential(Credential{Expires: expires})
		h.Socket().SendText("early")
		h.Open(func(s *Socket) error { return s.SendText("late") })
	})
	c := st.raw(t, speaking)
	id := st.srv.Sockets()[0].ID()
	c.hear(`{"type":"hello","id":"` + id + `","beat":30000,"spread":1000,"max":4096,"expires":1900000000123,"can":[]}`)
	c.expect(wire.OpText, "early")
	c.expect(wire.OpText, "late")
	if got := st.srv.Sockets()[0].Protocol(); got != Protocol {
		t.Errorf("Protocol is %q", got)
	}
}

func TestWithoutTheSubprotocolNothingOfItExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{PongTimeout: -1}, func(s *Socket) error {
			s.SetCredential(Credential{Expires: time.Now()})
			s.OnMessage(func(m Message) { s.SendMessage(m) })
			return nil
		})
		c := st.raw(t)
		for _, text := range []string{`{"type":"ping","t":1}`, `{"type":"auth","id":1,"token":"x"}`, `{"type":"sync","rooms":{}}`} {
			c.say(text)
			c.expect(wire.OpText, text)
		}
		time.Sleep(2 * time.Minute)
		st.srv.Sockets()[0].SendText("end")
		for f, ok := c.next(); ok && string(f.payload) != "end"; f, ok = c.next() {
			if f.Op != wire.OpPing {
				t.Errorf("frame of opcode %d: %q", f.Op, f.payload)
			}
		}
		if _, err := st.srv.Sockets()[0].Probe(t.Context()); !errors.Is(err, ErrNoProtocol) {
			t.Errorf("Probe: %v", err)
		}
		st.settle(c)
	})
}

// The size class of a socket is what it costs while it waits.
func TestASocketOfThePlainKindHasNotGrown(t *testing.T) {
	if size := unsafe.Sizeof(Socket{}); size > 352 {
		t.Errorf("a socket has %d bytes, which the allocator makes more than 352", size)
	}
	if size := unsafe.Sizeof(session{}); size > 64 {
		t.Errorf("nextrush.v1 adds %d bytes", size)
	}
}

func TestSilenceIsBrokenByATextPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{PongTimeout: -1}, nil)
		c := st.raw(t, speaking)
		c.hello()
		s := st.srv.Sockets()[0]
		began := time.Now()
		var beats int
		for time.Since(began) < 10*time.Minute {
			f, _ := c.next()
			if f.Op == wire.OpText {
				beats++
				if string(f.payload) != `{"type":"ping"}` {
					t.Fatalf("frame is %q", f.payload)
				}
			}
		}
		if beats < 19 || beats > 31 {
			t.Errorf("%d beats in 10 minutes, want one each 20 to 30 s", beats)
		}
		for i := range 60 { // it is not silent now
			s.SendText("news")
			time.Sleep(10 * time.Second)
			for f, _ := c.next(); string(f.payload) != "news"; f, _ = c.next() {
				if f.Op == wire.OpText && i > 0 {
					t.Fatalf("a beat %q though something else was sent", f.payload)
				}
			}
		}
		st.settle(c)
	})
}

func TestPingOfTheClientIsAnswered(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, func(s *Socket) error {
			for { // a program that reads by itself sees nothing of it
				m, err := s.Receive(s.Context())
				if err != nil {
					return nil
				}
				s.SendMessage(m)
			}
		})
		c := st.raw(t, speaking)
		c.hello()
		c.say(`{"type":"ping","t":7}`)
		c.hear(`{"type":"pong","t":7}`)
		c.say(` { "t":"a-1", "x":[{}], "type" : "ping"}`)
		c.hear(`{"type":"pong","t":"a-1"}`)
		c.say(`{"type":"ping","t":[1]}`)
		c.say(`{"type":"got","n":3}`)
		c.say(`{"type":"pong","t":99}`)
		c.say(`{"type":"newer"}`)
		c.hear(`{"type":"newer"}`)
	})
}

func TestProbeMeasuresTheProgramOfThePeer(t *testing.T) {
	st := overTCP.serve(t, Options{}, nil)
	c := st.raw(t, speaking)
	c.hello()
	s := st.srv.Sockets()[0]
	done := make(chan error, 1)
	go func() {
		_, err := s.Probe(context.Background())
		done <- err
	}()
	c.hear(`{"type":"ping","t":1}`)
	c.say(`{"type":"pong","t":1}`)
	if err := wait(t, done, "the probe"); err != nil {
		t.Error(err)
	}
}

func TestACredentialIsRenewed(t *testing.T) {
	st := overTCP.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		s.SetCredential(Credential{Renew: func(s *Socket, token string) (time.Time, error) {
			switch token {
			case "good":
				return time.UnixMilli(1234), nil
			case "for ever":
				return time.Time{}, nil
			case "panic":
				panic("in Renew")
			case "secret":
				return time.Time{}, errors.New("the secret text")
			}
			return time.Time{}, &EventError{Message: "refused"}
		}})
		return nil
	})
	c := st.raw(t, speaking)
	c.hello()
	c.say(`{"type":"auth","id":5,"token":"good"}`)
	c.hear(`{"type":"ack","id":5,"data":[{"expires":1234}]}`)
	c.say(`{"type":"auth","id":6,"token":"bad"}`)
	c.hear(`{"type":"error","id":6,"message":"refused"}`)
	c.say(`{"type":"auth","id":7,"token":"secret"}`)
	c.hear(`{"type":"error","id":7,"message":"internal error"}`)
	c.say(`{"type":"auth","id":8,"token":{}}`)
	c.hear(`{"type":"error","id":8,"message":"malformed message"}`)
	c.say(`{"type":"auth","id":9,"token":"for ever"}`)
	c.hear(`{"type":"ack","id":9,"data":[{}]}`)
	c.say(`{"type":"auth","id":10,"ticket":"good"}`)
	c.hear(`{"type":"error","id":10,"message":"nothing can be renewed"}`)
	c.say(`{"type":"auth","id":11,"token":"panic"}`)
	c.expectClose(StatusInternalError)
}

func TestACredentialIsRenewedByATicket(t *testing.T) {
	renew := func(of string) func(*Socket, string) (time.Time, error) {
		return func(_ *Socket, what string) (time.Time, error) {
			if what == of {
				return time.UnixMilli(1234), nil
			}
			return time.Time{}, &EventError{Message: what + " is refused as a " + of}
		}
	}
	st := overTCP.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		s.SetCredential(Credential{Renew: renew("token"), RenewTicket: renew("ticket")})
		return nil
	})
	c := st.raw(t, speaking)
	c.hello()
	c.say(`{"type":"auth","id":1,"ticket":"ticket"}`)
	c.hear(`{"type":"ack","id":1,"data":[{"expires":1234}]}`)
	c.say(`{"type":"auth","id":2,"ticket":"token"}`)
	c.hear(`{"type":"error","id":2,"message":"token is refused as a ticket"}`)
	c.say(`{"type":"auth","id":3,"token":"token","ticket":"ticket"}`)
	c.hear(`{"type":"error","id":3,"message":"malformed message"}`)
	c.say(`{"type":"auth","id":4,"ticket":7}`)
	c.hear(`{"type":"error","id":4,"message":"malformed message"}`)
}

func TestAMessageOfThePeerCannotHarm(t *testing.T) {
	st := overTCP.serve(t, Options{}, nil)
	c := st.raw(t, speaking)
	c.hello()
	for _, kind := range []string{"ping", "pong", "got", "sync", "join", "leave", "auth", "presence"} {
		for _, rest := range []string{
			``, `,"t":null`, `,"id":{}`, `,"room":[]`, `,"room":""`, `,"rooms":[]`, `,"rooms":{"a":null}`, `,"rooms":{"a":["e",-1]}`,
			`,"since":["e",1e99]`, `,"data":` + strings.Repeat("[", 20_000), `,"was":7`, `,"token":"` + strings.Repeat("x", 1<<16) + `"`,
		} {
			c.say(fmt.Sprintf(`{"type":%q%s}`, kind, rest))
		}
	}
	c.say(`{"type":"ping","t":"end"}`)
	c.hear(`{"type":"pong","t":"end"}`)
}

func TestSpreadFollowsTheNumberOfSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{PongTimeout: -1, ReconnectRate: 2, MaxConnections: 9, Logger: quiet}, nil)
		first := st.raw(t, speaking)
		if got := first.hello()["spread"]; got != 1000.0 {
			t.Errorf("spread is %v at first", got)
		}
		var last *raw
		for range 8 {
			last = st.raw(t, speaking)
		}
		if got := last.hello()["spread"]; got != 4000.0 {
			t.Errorf("spread is %v with 8 others", got)
		}
		if refused := st.request(t, greeting()).answer; refused.Header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After is %q with 9 sockets", refused.Header.Get("Retry-After"))
		}
		text := func(c *raw) string {
			for {
				if f, _ := c.next(); f.Op == wire.OpText {
					return string(f.payload)
				}
			}
		}
		if got := text(first); got != `{"type":"ping","spread":4000}` {
			t.Errorf("the first is told %s", got)
		}
		if got := text(first); got != `{"type":"ping"}` {
			t.Errorf("then %s", got)
		}
		st.settle()
	})
}

func TestWhoSendsTooMuchIsToldWhenToComeBack(t *testing.T) {
	st := overTCP.serve(t, Options{RateLimit: RateLimit{Messages: 1}, Logger: quiet}, nil)
	c := st.raw(t, speaking)
	c.hello()
	for range 3 {
		c.say("x")
	}
	if reason := c.expectClose(StatusPolicyViolation); reason != "rate limit exceeded retry=1000-2000" {
		t.Errorf("the reason is %q", reason)
	}
	plain := st.raw(t)
	for range 3 {
		plain.say("x")
	}
	if reason := plain.expectClose(StatusPolicyViolation); reason != "rate limit exceeded" {
		t.Errorf("without the subprotocol the reason is %q", reason)
	}
}
