package websocket

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// methods are all of Socket, each called once. Those that end it come seldom.
func (w weather) methods(s *Socket) map[string]func() {
	room := fmt.Sprint("room", rand.IntN(3))
	seldom := func(f func()) func() {
		return func() {
			if rand.IntN(200) == 0 {
				f()
			}
		}
	}
	soonOver := func(f func(context.Context)) func() {
		return func() {
			ctx, cancel := context.WithCancel(s.Context())
			go func() {
				runtime.Gosched()
				cancel()
			}()
			f(ctx)
		}
	}
	p, _ := Prepare(strings.Repeat("prepared ", 100))
	return map[string]func(){
		"Broadcast":     func() { s.Broadcast("all", room) },
		"Coalesce":      func() { s.Coalesce("key").Send("coalesce") },
		"Buffered":      func() { s.Buffered() },
		"Close":         seldom(func() { s.Close(4001, "storm") }),
		"ConnectedAt":   func() { s.ConnectedAt() },
		"Context":       func() { c := s.Context(); c.Err(); c.Value(0); c.Deadline() },
		"Dismiss":       seldom(func() { s.Dismiss(4001, "storm") }),
		"Credential":    func() { s.Credential() },
		"Probe":         soonOver(func(ctx context.Context) { s.Probe(ctx) }),
		"Parked":        func() { s.Parked() },
		"SetCredential": func() { s.SetCredential(Credential{Expires: s.ConnectedAt()}) },
		"Emit":          func() { s.Emit("event", 1) },
		"Get":           func() { s.Get("key") },
		"SetUser":       func() { s.SetUser("user", nil) },
		"User":          func() { s.User() },
		"ID":            func() { s.ID() },
		"IP":            func() { s.IP() },
		"Join":          func() { s.Join(room) },
		"LastActivity":  func() { s.LastActivity() },
		"JoinFrom":      func() { s.JoinFrom(s.Context(), room, Position{}) },
		"JoinLast":      func() { s.JoinLast(s.Context(), room, 2) },
		"Leave":         func() { s.Leave(room) },
		"LeaveAll":      func() { s.LeaveAll() },
		"Namespace":     func() { s.Namespace().Name() },
		"Off":           func() { s.Off("event") },
		"On":            seldom(func() { s.On("event", w.event) }),
		"OnAny":         seldom(func() { s.OnAny(w.event) }),
		"OnClose":       seldom(func() { s.OnClose(func(StatusCode, string) { w.sometimes() }) }),
		"OnDrain":       seldom(func() { s.OnDrain(w.sometimes) }),
		"OnError":       seldom(func() { s.OnError(func(error) { w.sometimes() }) }),
		"OnMessage":     func() { s.OnMessage(w.message) },
		"OnPing":        seldom(func() { s.OnPing(func([]byte) { w.sometimes() }) }),
		"OnPong":        seldom(func() { s.OnPong(func([]byte) { w.sometimes() }) }),
		"Once":          seldom(func() { s.Once("event", w.event) }),
		"Open":          func() { s.State() }, // of who accepted it
		"Origin":        func() { s.Origin() },
		"Others":        func() { s.Others().Send("others") },
		"Path":          func() { s.Path() },
		"Ping":          func() { s.Ping([]byte("ping")) },
		"Protocol":      func() { s.Protocol() },
		"RTT":           func() { s.RTT() },
		"Receive":       soonOver(func(ctx context.Context) { s.Receive(ctx) }),
		"Refuse":        func() { s.State() }, // of who accepted it
		"Request":       soonOver(func(ctx context.Context) { s.Request(ctx, "question") }),
		"Rooms":         func() { s.Rooms() },
		"Send":          func() { s.Send([]byte("bytes")) },
		"SendBinary":    func() { s.SendBinary(make([]byte, 20<<10)) },
		"SendJSON":      func() { s.SendJSON("json") },
		"SendMessage":   func() { s.SendMessage(NewMessage(Text, []byte("message"))) },
		"SendPrepared":  func() { s.SendPrepared(p) },
		"SendText":      func() { s.SendText("text") },
		"Set":           func() { s.Set("key", 1) },
		"State":         func() { s.State() },
		"To":            func() { s.To(room).Send("to") },
		"UseEvents":     seldom(func() { s.UseEvents(w.middleware) }),
		"UserAgent":     func() { s.UserAgent() },
		"Volatile":      func() { s.Volatile().To(room).Send("volatile") },
	}
}

func (w weather) message(m Message) {
	for _, f := range messageMethods(m) {
		f()
	}
	w.sometimes()
}

func (w weather) event(e *Event) {
	for _, f := range eventMethods(e) {
		f()
	}
	w.sometimes()
}

func (w weather) middleware(e *Event, next func() error) error {
	w.sometimes()
	return next()
}

func messageMethods(m Message) map[string]func() {
	return map[string]func(){
		"Bytes": func() { m.Bytes() },
		"Clone": func() { m.Clone() },
		"Event": func() { m.Event() },
		"JSON":  func() { m.JSON(new(any)) },
		"Text":  func() { m.Text() },
	}
}

func eventMethods(e *Event) map[string]func() {
	return map[string]func(){
		"Args":       func() { e.Args() },
		"Bytes":      func() { e.Bytes() },
		"Bind":       func() { e.Bind(0, new(any)) },
		"BindAll":    func() { e.BindAll(new(any), new(any)) },
		"Key":        func() { e.Key() },
		"Meta":       func() { e.Meta() },
		"Reply":      func() { e.Reply("reply") },
		"ReplyError": func() { e.ReplyError(errExited) },
		"WantsReply": func() { e.WantsReply() },
	}
}

func emitterMethods(e Emitter) map[string]func() {
	return map[string]func(){
		"Close": func() {
			if rand.IntN(1000) == 0 {
				e.Close(4001, "storm")
			}
		},
		"Coalesce":    func() { e.Coalesce("key").Send("coalesce") },
		"Emit":        func() { e.Emit("event", 1) },
		"EmitContext": func() { e.EmitContext(context.Background(), "event", 1) },
		"Except":      func() { e.Except("nobody").Send("except") },
		"ExceptRooms": func() { e.ExceptRooms("room2").Send("except") },
		"Join":        func() { e.Join("room2") },
		"Leave":       func() { e.Leave("room2") },
		"Request": func() {
			ctx, cancel := context.WithCancel(context.Background())
			for range e.Request(ctx, "question") {
				cancel()
			}
			cancel()
		},
		"Send":     func() { e.Send("send") },
		"Sockets":  func() { e.Sockets() },
		"To":       func() { e.To("room2").Send("to") },
		"ToID":     func() { e.ToID("nobody").Send("to") },
		"Volatile": func() { e.Volatile().Send("volatile") },
	}
}

func serverMethods(srv *Server) map[string]func() {
	return map[string]func(){
		"All":       func() { srv.All().Send("all") },
		"Accept":    func() {}, // and the four others are those of the storm itself
		"Close":     func() {},
		"Shutdown":  func() {},
		"Upgrade":   func() {},
		"Broadcast": func() { srv.Broadcast("all") },
		"SocketsIn": func() { srv.SocketsIn("room") },
		"Namespace": func() { srv.Namespace("other").Stats() },
		"Namespaces": func() {
			for _, ns := range srv.Namespaces() {
				for _, f := range namespaceMethods(ns) {
					f()
				}
			}
		},
		"Position": func() { srv.Position(context.Background(), "room1") },
		"History":  func() { srv.History(context.Background(), "room1", 5) },
		"Presence": func() { srv.Presence(context.Background(), "room1") },
		"Rooms":    func() { srv.Rooms() },
		"Socket":   func() { srv.Socket("nobody") },
		"Sockets":  func() { srv.Sockets() },
		"Stats":    func() { srv.Stats() },
		"Cluster":  func() { overNodes(srv.Cluster()) },
		"To":       func() { srv.To("room").Send("to") },
	}
}

func namespaceMethods(ns *Namespace) map[string]func() {
	return map[string]func(){
		"Accept":    func() {}, // is the server's
		"All":       func() { ns.All().Send("all") },
		"Broadcast": func() { ns.Broadcast("room", "room1") },
		"Name":      func() { ns.Name() },
		"Position":  func() { ns.Position(context.Background(), "room1") },
		"History":   func() { ns.History(context.Background(), "room1", 5) },
		"Presence":  func() { ns.Presence(context.Background(), "room1") },
		"Rooms":     func() { ns.Rooms() },
		"Socket":    func() { ns.Socket("nobody") },
		"Sockets":   func() { ns.Sockets() },
		"SocketsIn": func() { ns.SocketsIn("room1") },
		"Stats":     func() { ns.Stats() },
		"Cluster":   func() { overNodes(ns.Cluster()) },
		"To":        func() { ns.To("room1").Send("to") },
		"Upgrade":   func() {}, // is the server's
	}
}

func overNodes(c Cluster) {
	ctx := context.Background()
	c.Nodes()
	c.Health(ctx)
	c.Count(ctx, "room1")
	c.Sockets(ctx, Everyone, 10)
	c.Join(ctx, Room("room1"), "room2")
	c.Leave(ctx, Room("room1"), "room2")
	c.Disconnect(ctx, User("nobody"), 4000, "")
	for range c.Ask(ctx, ID("nobody"), "ready?") {
	}
}

func methodsOf(srv *Server) []func() {
	return slices.Concat(slices.Collect(maps.Values(serverMethods(srv))), slices.Collect(maps.Values(emitterMethods(srv.To("room1")))))
}

func TestTheStormKnowsEveryMethod(t *testing.T) {
	for _, c := range []struct {
		value any
		known map[string]func()
	}{
		{(*Socket)(nil), weather{}.methods(nil)},
		{(*Server)(nil), serverMethods(nil)},
		{(*Namespace)(nil), namespaceMethods(nil)},
		{Emitter{}, emitterMethods(Emitter{})},
		{Message{}, messageMethods(Message{})},
		{(*Event)(nil), eventMethods(nil)},
	} {
		of := reflect.TypeOf(c.value)
		for i := range of.NumMethod() {
			if name := of.Method(i).Name; c.known[name] == nil {
				t.Errorf("%v has a method %s that the storm does not call", of, name)
			}
		}
	}
}
