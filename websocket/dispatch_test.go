package websocket

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestOnAnySeesEveryEvent(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		var order []string
		st := n.serve(t, Options{}, func(s *Socket) error {
			note := func(who string) func(*Event) {
				return func(e *Event) { order = append(order, who+" "+e.Name) }
			}
			s.On("a", note("own"))
			s.OnAny(note("any"))
			s.OnAny(func(e *Event) {
				if e.Name == "unknown" {
					e.Reply("caught")
				}
			})
			s.Once("b", note("once"))
			s.OnMessage(func(m Message) {
				s.Send(strings.Join(order, ", "))
				order = nil
			})
			return nil
		})
		peer := st.raw(t)
		for _, name := range []string{"a", "b", "b", "c"} {
			peer.say(`{"type":"event","event":"` + name + `"}`)
		}
		peer.say("order")
		peer.expect(wire.OpText, "any a, own a, any b, once b, any b, any c")
		peer.say(`{"type":"event","event":"unknown","id":1}`)
		if e := peer.event(); e.Type != "ack" || string(e.Data) != `["caught"]` {
			t.Errorf("the reply is %+v", e)
		}
	})
}

// Middleware runs around the handlers of every kind, in the order of registration, and
// decides what the reply is.
func TestUseEvents(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		var order []string
		reported := make(chan error, 8)
		opts := Options{Logger: quiet, OnError: func(_ *Socket, err error) { reported <- err }}
		st := n.serve(t, opts, func(s *Socket) error {
			note := func(text string) { order = append(order, text) }
			s.UseEvents(func(e *Event, next func() error) error {
				note("outer " + e.Name)
				err := next()
				note(fmt.Sprint("back with ", err))
				return err
			})
			s.UseEvents(func(e *Event, next func() error) error {
				switch e.Name {
				case "barred":
					return &EventError{Message: "log in first"}
				case "dropped":
					return e.Reply("dropped")
				case "healed":
					if next() == nil {
						return errors.New("no error came")
					}
					return e.Reply("healed")
				}
				return next()
			})
			s.OnAny(func(e *Event) { note("any") })
			s.On("barred", func(*Event) { note("reached") })
			s.On("dropped", func(*Event) { note("reached") })
			On(s, "healed", func(*Socket, int) error { return errors.New("ill") })
			Handle(s, "double", func(_ context.Context, _ *Socket, in int) (int, error) { note("double"); return 2 * in, nil })
			On(s, "secret", func(*Socket, int) error { return errors.New("secret") })
			s.Once("once", func(e *Event) { e.Reply("once") })
			On(s, "end", func(*Socket, int) error { return &CloseError{Code: 4001, Reason: "end"} })
			s.OnMessage(func(Message) {
				s.Send(strings.Join(order, ", "))
				order = nil
			})
			return nil
		})
		peer := st.raw(t)
		for _, c := range []struct{ name, kind, message, data, order string }{
			{"double", "ack", "", "[8]", "outer double, any, double, back with <nil>"},
			{"barred", "error", "log in first", "", "outer barred, back with websocket: event: log in first"},
			{"dropped", "ack", "", `["dropped"]`, "outer dropped, back with <nil>"},
			{"healed", "ack", "", `["healed"]`, "outer healed, any, back with <nil>"},
			{"secret", "error", "internal error", "", "outer secret, any, back with secret"},
			{"once", "ack", "", `["once"]`, "outer once, any, back with <nil>"},
		} {
			peer.say(`{"type":"event","event":"` + c.name + `","id":1,"data":[4]}`)
			e := peer.event()
			if e.Type != c.kind || e.Message != c.message || string(e.Data) != c.data {
				t.Errorf("%s was answered with %+v", c.name, e)
			}
			peer.say("order")
			peer.expect(wire.OpText, c.order)
		}
		if err := wait(t, reported, "OnError"); !strings.Contains(err.Error(), "secret") {
			t.Errorf("reported is %v", err)
		}
		peer.say(`{"type":"event","event":"end"}`)
		peer.expectClose(4001)
	})
}

func TestUseEventsSeesUnknownEvents(t *testing.T) {
	seen := make(chan error, 1)
	st := inMemory.serve(t, Options{}, func(s *Socket) error {
		s.UseEvents(func(e *Event, next func() error) error {
			err := next()
			seen <- err
			return err
		})
		s.On("known", func(*Event) {})
		return nil
	})
	peer := st.raw(t)
	peer.say(`{"type":"event","event":"unknown","id":1}`)
	if e := peer.event(); e.Message != "unknown event" {
		t.Errorf("answered with %+v", e)
	}
	if err := wait(t, seen, "the middleware"); err == nil || !strings.Contains(err.Error(), "unknown event") {
		t.Errorf("next has returned %v", err)
	}
}

// An event that middleware refuses is not the one that Once waits for, and Off is heeded
// to the last.
func TestUseEventsKeepsOnceForAnEventThatIsLetIn(t *testing.T) {
	st := inMemory.serve(t, Options{}, func(s *Socket) error {
		tries := 0
		s.UseEvents(func(e *Event, next func() error) error {
			if tries++; tries < 3 {
				return &EventError{Message: "not yet"}
			}
			if e.Name == "gone" {
				s.Off("gone")
			}
			return next()
		})
		s.Once("once", func(e *Event) { e.Reply("ran") })
		s.On("gone", func(e *Event) { e.Reply("not off") })
		s.On("other", func(e *Event) { e.Reply("other") })
		return nil
	})
	peer := st.raw(t)
	for i, want := range []string{"not yet", "not yet", `["ran"]`, "unknown event"} {
		peer.say(`{"type":"event","event":"once","id":1}`)
		if e := peer.event(); e.Message+string(e.Data) != want {
			t.Errorf("event %d was answered with %+v, want %s", i, e, want)
		}
	}
	peer.say(`{"type":"event","event":"gone","id":1}`)
	peer.say(`{"type":"event","event":"other","id":2}`)
	if e := peer.event(); string(e.ID) != "2" {
		t.Errorf("what was off was answered with %+v", e)
	}
}

// Of two handlers that fail, both are told.
func TestUseEventsJoinsTheErrorsOfHandlers(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	seen := make(chan error, 1)
	st := inMemory.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		s.UseEvents(func(e *Event, next func() error) error {
			seen <- next()
			return nil
		})
		for _, err := range []error{one, nil, two} {
			On(s, "e", func(*Socket, int) error { return err })
		}
		return nil
	})
	st.raw(t).say(`{"type":"event","event":"e","data":[1]}`)
	if err := wait(t, seen, "next"); !errors.Is(err, one) || !errors.Is(err, two) {
		t.Errorf("next has returned %v", err)
	}
}

// What middleware does wrong ends its own socket alone.
func TestUseEventsThatPanics(t *testing.T) {
	for name, fail := range map[string]func(func() error) error{
		"before next":         func(func() error) error { panic("before") },
		"after next":          func(next func() error) error { next(); panic("after") },
		"a handler inside it": func(next func() error) error { return next() },
		"ends its goroutine":  func(func() error) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st := n.serve(t, Options{Logger: quiet}, func(s *Socket) error {
					if s.UserAgent() != "marked" {
						return echo(s)
					}
					s.UseEvents(func(_ *Event, next func() error) error { return fail(next) })
					s.On("e", func(*Event) { panic("inside") })
					return nil
				})
				bystander := st.raw(t)
				peer := st.raw(t, marked)
				peer.say(`{"type":"event","event":"e"}`)
				peer.expectClose(StatusInternalError)
				bystander.alive()
			})
		})
	}
}

func TestEventBindsAllItsArguments(t *testing.T) {
	type point struct{ X, Y int }
	opts := Options{Logger: quiet, Validate: func(v any) error {
		if p, ok := v.(*point); ok && p.X < 0 {
			return &EventError{Message: "must not be negative"}
		}
		return nil
	}}
	st := inMemory.serve(t, opts, func(s *Socket) error {
		On(s, "move", func(s *Socket, e *Event) error {
			var name string
			var to point
			if err := e.BindAll(&name, &to); err != nil {
				return err
			}
			return e.Reply(fmt.Sprint(name, " ", to))
		})
		Handle(s, "count", func(_ context.Context, _ *Socket, e *Event) (int, error) { return len(e.Args()), nil })
		return nil
	})
	peer := st.raw(t)
	for _, c := range []struct{ event, data, want string }{
		{"move", `["knight",{"X":1,"Y":2}]`, `["knight {1 2}"]`},
		{"move", `["knight",{"X":1,"Y":2},"more"]`, `["knight {1 2}"]`},
		{"move", `["knight"]`, "argument 1 is missing"},
		{"move", `[7,{}]`, "argument 0: must not be a JSON number"},
		{"move", `["knight",{"X":-1}]`, "must not be negative"},
		{"count", `[1,2,3]`, "[3]"},
	} {
		peer.say(`{"type":"event","event":"` + c.event + `","id":1,"data":` + c.data + `}`)
		if e := peer.event(); e.Message+string(e.Data) != c.want {
			t.Errorf("%s was answered with %+v, want %s", c.data, e, c.want)
		}
	}
}

func TestValueHasTheTypeThatSetKept(t *testing.T) {
	_, _, s, _ := meet(t, inMemory, Options{})
	s.Set("name", "Ada")
	if name, ok := Value[string](s, "name"); name != "Ada" || !ok {
		t.Errorf("value is %q, %v", name, ok)
	}
	if n, ok := Value[int](s, "name"); n != 0 || ok {
		t.Errorf("value is %d, %v", n, ok)
	}
	if _, ok := Value[string](s, "age"); ok {
		t.Error("there is a value that nobody has set")
	}
}

// OnClose and OnDisconnect still know the rooms, and reach who is left in them.
func TestRoomsAreToldWhenASocketEnds(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		told := make(chan []string, 2)
		opts := Options{OnDisconnect: func(s *Socket, _ StatusCode, _ string) { told <- s.Rooms() }}
		st := n.serve(t, opts, func(s *Socket) error {
			s.OnClose(func(StatusCode, string) {
				for _, room := range s.Rooms() {
					s.To(room).Send(room + " is left")
				}
				told <- s.Rooms()
			})
			s.Join("never mind")
			s.Leave("never mind")
			return errors.Join(s.Join("tea"), s.Join("cakes"))
		})
		stays, leaves := st.raw(t), st.raw(t)
		eventually(t, "both in the rooms", func() bool { return len(st.srv.SocketsIn("cakes")) == 2 })
		leaves.reset()
		stays.expect(wire.OpText, "tea is left")
		stays.expect(wire.OpText, "cakes is left")
		for _, who := range []string{"OnClose", "OnDisconnect"} {
			if rooms := wait(t, told, who); !slices.Equal(rooms, []string{"tea", "cakes"}) {
				t.Errorf("%s sees the rooms %q", who, rooms)
			}
		}
		if len(st.srv.SocketsIn("tea")) != 1 {
			t.Error("the socket is in its rooms still")
		}
	})
}
