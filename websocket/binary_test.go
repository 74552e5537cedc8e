package websocket

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const offerBytes = "Sec-WebSocket-Protocol: " + Protocol

var speaksBytes = DialOptions{Protocols: []string{Protocol}}

// binaryEvent is the payload of a binary event.
func binaryEvent(head, body string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(head)))) + head + body
}

var pixels = []byte{0xFF, 0x00, 0xFE, '"', 0x80}

// handleBytes answers with what has come, in the form in which it goes back.
func handleBytes(s *Socket) error {
	s.On("image", func(e *Event) {
		var name string
		var data []byte
		if err := e.Bind(0, &name); err != nil {
			e.refuse(err)
			return
		}
		if err := e.Bind(1, &data); err != nil {
			e.refuse(err)
			return
		}
		if e.WantsReply() {
			e.Reply(name, data)
		} else {
			s.Emit("image", name, data)
		}
	})
	On(s, "raw", func(s *Socket, in []byte) error { return s.Emit("raw", in) })
	On(s, "name", func(s *Socket, in string) error { return nil })
	s.OnMessage(func(m Message) { s.SendMessage(m) })
	return nil
}

func TestBytesGoInEventsBothWays(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		for name, opts := range map[string]DialOptions{"plain": {}, "binary": speaksBytes} {
			t.Run(name, func(t *testing.T) {
				got := make(chan *Event, 10)
				opts.Handler = func(s *Socket) error {
					s.On("image", func(e *Event) { got <- e })
					s.On("raw", func(e *Event) { got <- e })
					return nil
				}
				st := n.serve(t, Options{}, handleBytes)
				s := st.dial(t, opts)
				s.Emit("image", "a.png", pixels)
				reply, err := s.Request(t.Context(), "image", "b.png", pixels)
				if err != nil {
					t.Fatal(err)
				}
				s.Emit("raw", pixels)
				wantImage(t, wait(t, got, "the event"), "a.png", name == "binary")
				wantImage(t, reply, "b.png", name == "binary")
				var data []byte
				if e := wait(t, got, "the bytes"); e.Bind(0, &data) != nil || !bytes.Equal(data, pixels) {
					t.Errorf("got %q", data)
				}
				if got := st.srv.Stats(); got.Errors != 0 {
					t.Errorf("%d errors", got.Errors)
				}
			})
		}
	})
}

func wantImage(t *testing.T, e *Event, name string, binary bool) {
	t.Helper()
	var gotName string
	var data []byte
	var anything any
	if e.Bind(0, &gotName) != nil || e.Bind(1, &data) != nil || gotName != name || !bytes.Equal(data, pixels) {
		t.Errorf("got %q, %q", gotName, data)
	}
	if e.Bind(1, &anything) != nil || (e.Bytes() != nil) != binary || binary && len(e.Args()) != 1 {
		t.Errorf("binary: %v, %d arguments, %v", e.Bytes() != nil, len(e.Args()), anything)
	}
	if err := e.Bind(1, &struct{}{}); err == nil {
		t.Error("bytes are a struct")
	}
	if err := e.Bind(2, &data); err == nil {
		t.Error("there is an argument behind the bytes")
	}
}

// A room may have both kinds of peers.
func TestABroadcastHasBytesForThoseThatTakeThem(t *testing.T) {
	st := overTCP.serve(t, Options{}, func(s *Socket) error { return s.Join("room") })
	plain, able := st.raw(t), st.raw(t, offerBytes)
	wantHello(t, able)
	for len(st.srv.SocketsIn("room")) < 2 {
		plain.alive()
	}
	if err := st.srv.To("room").Emit("image", "a.png", pixels); err != nil {
		t.Fatal(err)
	}
	f, _ := plain.next()
	if text := string(f.payload); f.Op != wire.OpText || !strings.Contains(text, `"data":["a.png","`+base64.StdEncoding.EncodeToString(pixels)+`"]`) {
		t.Errorf("the plain peer got %d %q", f.Op, text)
	}
	f, _ = able.next()
	env, ok := envelope.ParseBinary(f.payload)
	if f.Op != wire.OpBinary || !ok || string(env.Data) != `["a.png"]` || !bytes.Equal(env.Bytes, pixels) {
		t.Errorf("the other got %d %q", f.Op, f.payload)
	}
}

func wantHello(t *testing.T, c *raw) {
	t.Helper()
	var hello struct {
		Type, ID string
		Max      int64
	}
	f, _ := c.next()
	if err := json.Unmarshal(f.payload, &hello); err != nil || hello.Type != "hello" || len(hello.ID) != 22 || hello.Max != 1<<20 {
		t.Errorf("the first message is %q", f.payload)
	}
	if got := c.answer.Header.Get("Sec-WebSocket-Protocol"); got != Protocol {
		t.Errorf("agreed on %q", got)
	}
}

// What is not a binary event is a message; what is one, and wrong, is refused as in text.
func TestWhatIsNoBinaryEventIsAMessage(t *testing.T) {
	const event = `{"type":"event","event":"raw"}`
	messages := map[string]string{
		"nothing":              "",
		"one byte":             "\x00",
		"no envelope":          "\x00\x00bytes",
		"a length beyond it":   "\xFF\xFF" + event,
		"one byte too many":    binaryEvent(event, "")[:1] + string(rune(len(event)+1)) + event,
		"no JSON":              binaryEvent("{type", "bytes"),
		"no object":            binaryEvent(`["type"]`, "bytes"),
		"two objects":          binaryEvent(event+event, "bytes"),
		"another type":         binaryEvent(`{"type":"hello"}`, "bytes"),
		"no type":              binaryEvent(`{"event":"raw"}`, "bytes"),
		"not UTF-8":            binaryEvent(`{"type":"event","event":"raw`+"\xFF"+`"}`, "bytes"),
		"deep":                 binaryEvent(`{"type":"event","event":"raw","data":`+strings.Repeat("[", 30_000)+`}`, ""),
		"an answer to nothing": binaryEvent(`{"type":"ack","id":"x"}`, "bytes"),
	}
	refused := map[string][2]string{
		"no name":        {`{"type":"event","id":1}`, "event must be a name"},
		"a number":       {`{"type":"event","event":7,"id":1}`, "event must be a name"},
		"unknown":        {`{"type":"event","event":"x","id":1}`, "unknown event"},
		"bytes as text":  {`{"type":"event","event":"name","id":1}`, "argument 0 must not be binary"},
		"one too few":    {`{"type":"event","event":"image","id":1}`, "argument 0 must not be binary"},
		"text for bytes": {`{"type":"event","event":"raw","id":1,"data":[7]}`, "argument 0: must not be a JSON number"},
	}
	st := overTCP.serve(t, Options{}, handleBytes)
	able, plain := st.raw(t, offerBytes), st.raw(t)
	wantHello(t, able)
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			able.write(client("1 000 0010", m))
			able.expect(wire.OpBinary, m)
		})
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			able.write(client("1 000 0010", binaryEvent(c[0], "bytes")))
			f, _ := able.next()
			if f.Op != wire.OpText || !strings.Contains(string(f.payload), `"message":"`+c[1]+`"`) {
				t.Errorf("the answer is %d %q", f.Op, f.payload)
			}
		})
	}
	whole := binaryEvent(event, "bytes") // which means nothing to a peer that has not offered it
	plain.write(client("1 000 0010", whole))
	plain.expect(wire.OpBinary, whole)
}

// An envelope that is too long for its length goes as text.
func TestALongEnvelopeIsText(t *testing.T) {
	st := overTCP.serve(t, Options{}, handleBytes)
	got := make(chan *Event, 1)
	opts := speaksBytes
	opts.Handler = func(s *Socket) error { s.On("image", func(e *Event) { got <- e }); return nil }
	s := st.dial(t, opts)
	s.Emit("image", strings.Repeat("n", 70_000), pixels)
	e := wait(t, got, "the event")
	var data []byte
	if e.Bytes() != nil || e.Bind(1, &data) != nil || !bytes.Equal(data, pixels) {
		t.Errorf("got %q", data)
	}
}

func TestAProbeIsAnswered(t *testing.T) {
	st := overTCP.serve(t, Options{}, echo)
	able, plain := st.raw(t, offerBytes), st.raw(t)
	wantHello(t, able)
	able.write(client("1 000 0001", `{"type":"ping","t":7}`))
	able.expect(wire.OpText, `{"type":"pong","t":7}`)
	able.write(client("1 000 0001", `{"type":"ping"}`), client("1 000 0001", `{"type":"ping","t":[7]}`))
	able.alive()
	plain.write(client("1 000 0001", `{"type":"ping","t":7}`))
	plain.expect(wire.OpText, `{"type":"ping","t":7}`)
}

// FuzzBinaryEvents sends binary messages of any content, which may be events.
func FuzzBinaryEvents(f *testing.F) {
	f.Add([]byte(binaryEvent(`{"type":"event","event":"image","data":["a.png"],"id":1}`, string(pixels))))
	f.Add([]byte(binaryEvent(`{"type":"event","event":"raw"}`, "")))
	f.Add([]byte(binaryEvent(`{"type":"ack","id":1,"data":[[]]}`, "x")))
	f.Add([]byte(binaryEvent(`{"type":"error","id":1,"message":7}`, "x")))
	f.Add([]byte("\xFF\xFF{"))
	f.Add([]byte("\x00\x02{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			st := inMemory.serve(t, Options{Logger: quiet}, handleBytes)
			peer := st.connect(t)
			peer.shake(offerBytes)
			go io.Copy(io.Discard, peer.reader)
			peer.write(client("1 000 0010", string(data)))
			if env, ok := envelope.ParseBinary(data); ok {
				fmt.Fprint(io.Discard, env.Args, failure(&env))
			}
			synctest.Wait()
			if len(st.srv.Sockets()) != 1 {
				t.Errorf("%q has ended its socket", data)
			}
			st.settle(peer)
		})
	})
}
