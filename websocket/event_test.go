package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// event is an envelope as a peer reads it.
type event struct {
	Type, Event, Message string
	ID, Data, Errors     json.RawMessage
	Timestamp            int64
}

// say sends text.
func (c *raw) say(text string) {
	c.t.Helper()
	if !c.write(client("1 000 0001", text)) {
		c.t.Fatal("connection ended")
	}
}

// event reads a text frame that holds an envelope.
func (c *raw) event() (e event) {
	c.t.Helper()
	f, ok := c.next()
	if !ok || f.Op != wire.OpText {
		c.t.Fatalf("opcode %d, want text", f.Op)
	}
	if err := json.Unmarshal(f.payload, &e); err != nil {
		c.t.Fatalf("%q: %v", f.payload, err)
	}
	return e
}

func TestEmitWritesTheEnvelope(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		for _, c := range []struct {
			args []any
			want string
		}{
			{nil, `[]`},
			{[]any{"hi"}, `["hi"]`},
			{[]any{1, nil, map[string]int{"a": 1}}, `[1,null,{"a":1}]`},
		} {
			if err := s.Emit("chat", c.args...); err != nil {
				t.Fatal(err)
			}
			e := peer.event()
			if e.Type != "event" || e.Event != "chat" || string(e.Data) != c.want || e.ID != nil {
				t.Errorf("envelope is %+v, want data %s", e, c.want)
			}
			if age := time.Since(time.UnixMilli(e.Timestamp)); age < -time.Second || age > patience {
				t.Errorf("timestamp is %v old", age)
			}
		}
		if err := s.Emit("chat", make(chan int)); err == nil {
			t.Error("a channel was emitted")
		}
		peer.alive()
	})
}

func TestOnceOnAndOff(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		var seen []string
		add := func(word string) func(*Event) {
			return func(e *Event) { seen = append(seen, word) }
		}
		s.Once("a", add("once"))
		s.On("a", add("on"))
		s.On("a", add("on too"))
		s.On("b", add("other"))
		s.On("sync", func(e *Event) {
			e.Reply(strings.Join(seen, ", "))
			seen = nil
		})
		for i, c := range []struct{ off, events, want string }{
			{"", "a a", "once, on, on too, on, on too"},
			{"", "b", "other"},
			{"nobody", "a", "on, on too"},
			{"a", "a b", "other"},
			{"b", "a b", ""},
		} {
			s.Off(c.off)
			for name := range strings.FieldsSeq(c.events) {
				peer.say(`{"type":"event","event":"` + name + `"}`)
			}
			peer.say(`{"type":"event","event":"sync","id":0}`)
			e := peer.event()
			for e.Type == "error" { // for events that nobody handles
				e = peer.event()
			}
			if want := fmt.Sprintf("[%q]", c.want); string(e.Data) != want {
				t.Errorf("step %d: %s were called, want %s", i, e.Data, want)
			}
		}
	})
}

// A handler may take itself off, and put another on, while it runs.
func TestHandlersChangeTheHandlers(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		s.On("a", func(e *Event) {
			s.Off("a")
			s.On("a", func(e *Event) { e.Reply("second") })
			e.Reply("first")
		})
		for _, want := range []string{`["first"]`, `["second"]`, `["second"]`} {
			peer.say(`{"type":"event","event":"a","id":1}`)
			if e := peer.event(); string(e.Data) != want {
				t.Errorf("reply is %s, want %s", e.Data, want)
			}
		}
	})
}

func TestEventArguments(t *testing.T) {
	_, peer, s, _ := meet(t, overTCP, Options{})
	s.On("args", func(e *Event) {
		var first int
		var second struct{ Name string }
		e.Reply(len(e.Args()), problem(e.Bind(0, &first)), problem(e.Bind(1, &second)), problem(e.Bind(-1, &first)), first, second.Name)
	})
	for data, want := range map[string]string{
		`[4,{"name":"x"}]`: `[2,"","","argument -1 is missing",4,"x"]`,
		`[4]`:              `[1,"","argument 1 is missing","argument -1 is missing",4,""]`,
		`[]`:               `[0,"argument 0 is missing","argument 1 is missing","argument -1 is missing",0,""]`,
		`4`:                `[1,"","argument 1 is missing","argument -1 is missing",4,""]`,
		`null`:             `[0,"argument 0 is missing","argument 1 is missing","argument -1 is missing",0,""]`,
		`["4",[]]`:         `[2,"argument 0: must not be a JSON string","argument 1: must not be a JSON array","argument -1 is missing",0,""]`,
		`[4,{"name":1}]`:   `[2,"","argument 1: Name must not be a JSON number","argument -1 is missing",4,""]`,
	} {
		peer.say(`{"type":"event","event":"args","id":1,"data":` + data + `}`)
		got := string(peer.event().Data)
		if !strings.EqualFold(got, want) { // the case of a field's name is encoding/json's affair
			t.Errorf("%s gave\n%s, want\n%s", data, got, want)
		}
	}
}

// problem is what an error would tell the peer.
func problem(err error) (message string) {
	var e *EventError
	if errors.As(err, &e) {
		message = e.Message
	}
	return message
}

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name, id string
		want     string // the id of the reply; "" for none
	}{
		{"number", `7`, `7`},
		{"negative number", `-7`, `-7`},
		{"string", `"x-1"`, `"x-1"`},
		{"longest", `"` + strings.Repeat("x", envelope.MaxID-2) + `"`, `"` + strings.Repeat("x", envelope.MaxID-2) + `"`},
		{"too long", `"` + strings.Repeat("x", envelope.MaxID) + `"`, ""},
		{"null", `null`, ""},
		{"object", `{}`, ""},
		{"array", `[1]`, ""},
		{"true", `true`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, peer, s, _ := meet(t, overTCP, Options{})
			s.On("a", func(e *Event) {
				if e.WantsReply() != (c.want != "") || e.Name != "a" || e.Socket != s {
					t.Errorf("event %q wants a reply: %t", e.Name, e.WantsReply())
				}
				if err := e.Reply(1, "x"); err != nil {
					t.Error(err)
				}
				s.Send(`{"type":"end"}`)
			})
			peer.say(`{"type":"event","event":"a","id":` + c.id + `}`)
			e := peer.event()
			if c.want != "" {
				if e.Type != "ack" || string(e.ID) != c.want || string(e.Data) != `[1,"x"]` {
					t.Errorf("reply is %+v", e)
				}
				e = peer.event()
			}
			if e.Type != "end" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// publicError is an error of another package that has a text for the peer.
type publicError struct{}

func (publicError) Error() string             { return "not for the peer" }
func (publicError) EventReply() (string, any) { return "for the peer", []string{"a"} }

// A handler's error is answered; only what is meant for the peer reaches it,
// and only the rest is reported.
func TestErrorsOfEventHandlers(t *testing.T) {
	for _, c := range []struct {
		name            string
		err             error
		message, errors string
		reported        bool
	}{
		{"EventError", &EventError{Message: "no", Errors: []string{"x"}}, "no", `["x"]`, false},
		{"wrapped EventError", fmt.Errorf("secret: %w", &EventError{Message: "no"}), "no", "", false},
		{"another error with a reply", publicError{}, "for the peer", `["a"]`, false},
		{"any other", errors.New("secret"), "internal error", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				reported := make(chan error, 1)
				_, peer, s, _ := meet(t, n, Options{OnError: func(_ *Socket, err error) { reported <- err }})
				On(s, "a", func(*Socket, int) error { return c.err })
				peer.say(`{"type":"event","event":"a","id":9}`)
				e := peer.event()
				if e.Type != "error" || string(e.ID) != "9" || e.Event != "a" || e.Message != c.message || string(e.Errors) != c.errors {
					t.Errorf("reply is %+v", e)
				}
				peer.alive()
				select {
				case err := <-reported:
					if !c.reported || !errors.Is(err, c.err) {
						t.Errorf("reported: %v", err)
					}
				default:
					if c.reported {
						t.Error("it was not reported")
					}
				}
			})
		})
	}
}

func TestCloseErrorOfAnEventHandlerCloses(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		Handle(s, "a", func(context.Context, *Socket, int) (int, error) {
			return 0, fmt.Errorf("enough: %w", &CloseError{Code: 4007, Reason: "enough"})
		})
		peer.say(`{"type":"event","event":"a","id":9}`)
		if reason := peer.expectClose(4007); reason != "enough" {
			t.Errorf("reason is %q", reason)
		}
	})
}

func TestContextOfAHandlerEndsWithTheSocket(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, told := meet(t, n, Options{Logger: quiet, CloseTimeout: 50 * time.Millisecond})
		entered, cause := make(chan bool, 1), make(chan error, 1)
		Handle(s, "a", func(ctx context.Context, _ *Socket, _ int) (int, error) {
			entered <- true
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return 0, ctx.Err()
		})
		peer.say(`{"type":"event","event":"a","id":9}`)
		wait(t, entered, "the handler")
		s.Close(4000, "")
		peer.expectClose(4000)
		var end *CloseError
		if err := wait(t, cause, "the end of the context"); !errors.As(err, &end) || end.Code != 4000 {
			t.Errorf("cause is %v", err)
		}
		wait(t, told, "OnClose")
	})
}

// What has no handler is answered where that is wanted, and otherwise left to
// OnMessage, as is everything that is not an event.
func TestWhatNobodyHandles(t *testing.T) {
	const unknown = `{"type":"event","event":"nobody","data":[]}`
	for _, c := range []struct {
		name, send string
		handlers   bool
		message    bool // OnMessage gets it
	}{
		{"unknown event without handlers", unknown, false, true},
		{"unknown event with handlers", unknown, true, true},
		{"unknown event that wants a reply", `{"type":"event","event":"nobody","id":1}`, true, false},
		{"no JSON", `{"type":"event"`, true, true},
		{"another type", `{"type":"chat","event":"a"}`, true, true},
		{"no type", `{"event":"a"}`, true, true},
		{"type is a number", `{"type":1,"event":"a"}`, true, true},
		{"array", `[{"type":"event","event":"a"}]`, true, true},
		{"reply that nobody awaits", `{"type":"ack","id":1,"data":[]}`, true, true},
		{"error that nobody awaits", `{"type":"error","id":1,"message":"x"}`, true, true},
		{"depth", `{"type":"event","event":"a","data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, true, true},
		{"empty", ``, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			messages := make(chan string, 2)
			_, peer, s, _ := meet(t, overTCP, Options{})
			if c.handlers {
				s.On("a", func(*Event) { t.Error("the handler was called") })
			}
			s.OnMessage(func(m Message) { messages <- m.Text() })
			peer.say(c.send)
			if !c.message {
				if e := peer.event(); e.Type != "error" || e.Event != "nobody" || e.Message != "unknown event" || string(e.ID) != "1" {
					t.Errorf("reply is %+v", e)
				}
			}
			peer.alive()
			select {
			case text := <-messages:
				if !c.message || text != c.send {
					t.Errorf("OnMessage got %.40q", text)
				}
			default:
				if c.message {
					t.Error("OnMessage got nothing")
				}
			}
		})
	}
}

func TestBinaryMessagesAreNoEvents(t *testing.T) {
	_, peer, s, _ := meet(t, overTCP, Options{})
	s.On("a", func(*Event) { t.Error("the handler was called") })
	s.OnMessage(func(m Message) { s.SendMessage(m) })
	const e = `{"type":"event","event":"a"}`
	peer.write(client("1 000 0010", e))
	peer.expect(wire.OpBinary, e)
}

// outcome is what Request returned.
type outcome struct {
	event *Event
	err   error
}

// asking sends a request to the peer and tells its outcome.
func asking(ctx context.Context, s *Socket, name string, args ...any) <-chan outcome {
	ch := make(chan outcome, 1)
	go func() {
		e, err := s.Request(ctx, name, args...)
		ch <- outcome{e, err}
	}()
	return ch
}

func TestRequestIsAnswered(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		got := asking(t.Context(), s, "sum", 1, 2)
		e := peer.event()
		if e.Type != "event" || e.Event != "sum" || string(e.Data) != "[1,2]" || len(e.ID) == 0 {
			t.Errorf("request is %+v", e)
		}
		peer.say(`{"type":"ack","id":` + string(e.ID) + `,"data":[3,"x"]}`)
		o := wait(t, got, "the answer")
		var sum int
		if o.err != nil || o.event.Bind(0, &sum) != nil || sum != 3 || len(o.event.Args()) != 2 {
			t.Errorf("outcome is %+v", o)
		}
	})
}

func TestRequestIsRefusedByThePeer(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		for _, c := range []struct{ reply, message, errors string }{
			{`"message":"no","errors":["x"]`, "no", `["x"]`},
			{`"message":"no"`, "no", ""},
			{`"message":7`, "internal error", ""},
		} {
			got := asking(t.Context(), s, "sum")
			peer.say(`{"type":"error","id":` + string(peer.event().ID) + `,` + c.reply + `}`)
			var e *EventError
			o := wait(t, got, "the answer")
			if !errors.As(o.err, &e) || o.event != nil || e.Message != c.message {
				t.Fatalf("outcome is %+v", o)
			}
			if details, _ := e.Errors.(json.RawMessage); string(details) != c.errors {
				t.Errorf("details are %v, want %s", e.Errors, c.errors)
			}
		}
	})
}

// Answers may come in any order, twice, and to nobody.
func TestRequestsGetTheirOwnAnswers(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		var all [20]<-chan outcome
		ids := make(map[string]string)
		for i := range all {
			all[i] = asking(t.Context(), s, "who", i)
			e := peer.event()
			ids[string(e.Data)] = string(e.ID)
		}
		for data, id := range ids { // in random order
			answer := `{"type":"ack","id":` + id + `,"data":` + data + `}`
			peer.say(answer)
			peer.say(strings.Replace(answer, data, `["twice"]`, 1))
		}
		for i, ch := range all {
			o := wait(t, ch, "the answer")
			if o.err != nil || string(o.event.Args()[0]) != fmt.Sprint(i) {
				t.Errorf("request %d: %+v", i, o)
			}
		}
	})
}

func TestRequestEndsWithItsContext(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		got := asking(ctx, s, "never")
		first := peer.event()
		cancel()
		if o := wait(t, got, "the end of the request"); !errors.Is(o.err, context.Canceled) {
			t.Errorf("outcome is %+v", o)
		}
		peer.say(`{"type":"ack","id":` + string(first.ID) + `,"data":["late"]}`)
		got = asking(t.Context(), s, "next")
		peer.say(`{"type":"ack","id":` + string(peer.event().ID) + `,"data":["in time"]}`)
		if o := wait(t, got, "the answer"); o.err != nil || string(o.event.Args()[0]) != `"in time"` {
			t.Errorf("outcome is %+v", o)
		}
		peer.say("a message")
		if m, err := s.Receive(t.Context()); err != nil || m.Text() != "a message" {
			t.Errorf("the late reply is taken for a message: %q, %v", m.Text(), err)
		}
	})
}

func TestRequestEndsWithTheSocket(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*site, *raw, *Socket)
		want CloseError
	}{
		{"closed by us", func(_ *site, peer *raw, s *Socket) { s.Close(4001, "ours"); peer.expectClose(4001) }, CloseError{Code: 4001, Reason: "ours"}},
		{"closed by the peer", func(_ *site, peer *raw, _ *Socket) {
			peer.write(client("1 000 1000", closePayload(4002, "theirs")))
		}, CloseError{Code: 4002, Reason: "theirs", Remote: true}},
		{"lost", func(_ *site, peer *raw, _ *Socket) { peer.conn.Close() }, CloseError{Code: StatusAbnormalClosure}},
		{"cut", func(st *site, _ *raw, _ *Socket) { st.srv.Close() }, CloseError{Code: StatusAbnormalClosure}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st, peer, s, told := meet(t, n, Options{})
				got := asking(t.Context(), s, "never")
				peer.event()
				c.end(st, peer, s)
				var end *CloseError
				o := wait(t, got, "the end of the request")
				if !errors.As(o.err, &end) || end.Code != c.want.Code || end.Reason != c.want.Reason || end.Remote != c.want.Remote {
					t.Errorf("error is %+v, want %+v", o.err, c.want)
				}
				wait(t, told, "OnClose")
				if _, err := s.Request(t.Context(), "late"); !errors.As(err, &end) || !errors.Is(err, ErrClosed) && end.Err == nil {
					t.Errorf("a late request: %v", err)
				}
				if err := s.Emit("late"); !errors.Is(err, ErrClosed) {
					t.Errorf("a late event: %v", err)
				}
			})
		})
	}
}

func TestRequestsAreBounded(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var all []<-chan outcome
		for range 1024 {
			all = append(all, asking(ctx, s, "never"))
			peer.event()
		}
		if _, err := s.Request(t.Context(), "one more"); !errors.Is(err, ErrTooManyRequests) {
			t.Errorf("error is %v", err)
		}
		cancel()
		for _, ch := range all {
			if o := wait(t, ch, "the end of a request"); !errors.Is(o.err, context.Canceled) {
				t.Fatalf("outcome is %+v", o)
			}
		}
		got := asking(t.Context(), s, "now there is room")
		peer.say(`{"type":"ack","id":` + string(peer.event().ID) + `}`)
		if o := wait(t, got, "the answer"); o.err != nil {
			t.Errorf("outcome is %+v", o)
		}
	})
}

// Both sides of a connection ask each other at once.
func TestClientAndServerAskEachOther(t *testing.T) {
	double := func(s *Socket) error {
		Handle(s, "double", func(_ context.Context, _ *Socket, in int) (int, error) { return 2 * in, nil })
		Handle(s, "refuse", func(context.Context, *Socket, int) (int, error) { return 0, &EventError{Message: "no"} })
		return nil
	}
	run(t, func(t *testing.T, n network) {
		sockets := make(chan *Socket, 1)
		st := n.serve(t, Options{}, func(s *Socket) error { sockets <- s; return double(s) })
		both := []*Socket{st.dial(t, DialOptions{Handler: double})}
		both = append(both, wait(t, sockets, "the handler"))
		var all []<-chan outcome
		for i := range 100 {
			all = append(all, asking(t.Context(), both[i%2], "double", i))
		}
		for i, ch := range all {
			o := wait(t, ch, "the answer")
			var got int
			if o.err != nil || o.event.Bind(0, &got) != nil || got != 2*i {
				t.Fatalf("request %d: %+v", i, o)
			}
		}
		for _, s := range both {
			var e *EventError
			if _, err := s.Request(t.Context(), "refuse", 1); !errors.As(err, &e) || e.Message != "no" {
				t.Errorf("error is %v", err)
			}
			if _, err := s.Request(t.Context(), "nobody", 1); !errors.As(err, &e) || e.Message != "unknown event" {
				t.Errorf("error is %v", err)
			}
		}
	})
}

// An event is answered once, by whoever comes first, from whatever goroutine.
func TestAnEventIsAnsweredOnce(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		failures := make(chan error, 10)
		opts := Options{OnError: func(_ *Socket, err error) { failures <- err }, Logger: quiet}
		want := func(e *Event, got error) {
			if !errors.Is(got, ErrReplied) {
				t.Errorf("%s: another answer returned %v", e.Name, got)
			}
		}
		st := n.serve(t, opts, func(s *Socket) error {
			s.UseEvents(Once(time.Minute, 10))
			s.On("later", func(e *Event) { go e.ReplyError(&EventError{Message: "no tea", Errors: []string{"tea"}}) })
			s.On("hidden", func(e *Event) { go e.ReplyError(errors.New("the password is 12345")) })
			s.On("nothing", func(e *Event) {
				e.ReplyError(nil)
				want(e, errors.Join(e.Reply(1), e.Reply(2), e.ReplyError(errors.ErrUnsupported)))
			})
			s.On("error first", func(e *Event) { want(e, errors.Join(e.ReplyError(&EventError{Message: "no"}), e.Reply())) })
			On(s, "twice", func(s *Socket, e *Event) error { e.Reply(1); return &EventError{Message: "too late"} })
			On(s, "chan", func(s *Socket, e *Event) error { return e.Reply(make(chan int)) })
			s.On("end", func(e *Event) { e.ReplyError(&CloseError{Code: 4000, Reason: "enough"}) })
			return nil
		})
		c := st.raw(t)
		ask := func(event, answer string) {
			t.Helper()
			for range 2 { // the second is answered by Once
				c.say(fmt.Sprintf(`{"type":"event","event":%q,"id":7,"key":"0123456789abcdef"}`, event))
				c.hear(answer)
			}
		}
		ask("later", `{"type":"error","event":"later","id":7,"message":"no tea","errors":["tea"]}`)
		ask("hidden", `{"type":"error","event":"hidden","id":7,"message":"internal error"}`)
		if err := wait(t, failures, "the error"); !strings.Contains(err.Error(), "12345") {
			t.Errorf("told is %v", err)
		}
		ask("nothing", `{"type":"ack","id":7,"data":[1]}`)
		if err := wait(t, failures, "the error"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("told is %v", err)
		}
		ask("error first", `{"type":"error","event":"error first","id":7,"message":"no"}`)
		ask("twice", `{"type":"ack","id":7,"data":[1]}`)
		ask("chan", `{"type":"error","event":"chan","id":7,"message":"internal error"}`)
		c.say(`{"type":"event","event":"later"}`) // who wants no answer hears of the failure
		c.hear(`{"type":"error","event":"later","message":"no tea","errors":["tea"]}`)
		c.say(`{"type":"event","event":"hidden"}`)
		c.hear(`{"type":"error","event":"hidden","message":"internal error"}`)
		c.say(`{"type":"event","event":"end","id":8}`)
		if reason := c.expectClose(4000); reason != "enough" {
			t.Errorf("the reason is %q", reason)
		}
		e, _ := NewMessage(Text, []byte(`{"type":"event","event":"x","id":1}`)).Event()
		if err := e.ReplyError(errors.ErrUnsupported); err != nil {
			t.Errorf("an event of no socket: %v", err)
		}
	})
}
