package websocket

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// conversation is what a client sends and what an echo server must make of it.
type conversation struct {
	name string
	send [][]byte
	want []frame    // echoes and pongs, in order
	code StatusCode // of the server's close frame; 0: the socket stays open
}

func text(s string) frame { return frame{wire.Header{Op: wire.OpText}, []byte(s)} }
func blob(s string) frame { return frame{wire.Header{Op: wire.OpBinary}, []byte(s)} }
func pong(s string) frame { return frame{wire.Header{Op: wire.OpPong}, []byte(s)} }

var rfc6455 = []conversation{
	{"5.7 the RFC's own masked Hello", [][]byte{{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}}, []frame{text("Hello")}, 0},
	{"5.2 empty text", [][]byte{client("1 000 0001", "")}, []frame{text("")}, 0},
	{"5.2 empty binary", [][]byte{client("1 000 0010", "")}, []frame{blob("")}, 0},
	{"5.2 125 bytes, 7-bit length", [][]byte{client("1 000 0010", strings.Repeat("x", 125))}, []frame{blob(strings.Repeat("x", 125))}, 0},
	{"5.2 126 bytes, 16-bit length", [][]byte{client("1 000 0010", strings.Repeat("x", 126))}, []frame{blob(strings.Repeat("x", 126))}, 0},
	{"5.2 65535 bytes, 16-bit length", [][]byte{client("1 000 0010", strings.Repeat("x", 65535))}, []frame{blob(strings.Repeat("x", 65535))}, 0},
	{"5.2 65536 bytes, 64-bit length", [][]byte{client("1 000 0010", strings.Repeat("x", 65536))}, []frame{blob(strings.Repeat("x", 65536))}, 0},
	{"5.2 two messages in one write", [][]byte{join(client("1 000 0001", "a"), client("1 000 0010", "b"))}, []frame{text("a"), blob("b")}, 0},

	{"5.2 length 5 in 16 bits is not shortest", [][]byte{bits("1 000 0010 1 1111110 00000000 00000101")}, nil, 1002},
	{"5.2 length 125 in 64 bits is not shortest", [][]byte{bits("1 000 0010 1 1111111"), {0, 0, 0, 0, 0, 0, 0, 125}}, nil, 1002},
	{"5.2 length 65535 in 64 bits is not shortest", [][]byte{bits("1 000 0010 1 1111111"), {0, 0, 0, 0, 0, 0, 255, 255}}, nil, 1002},
	{"5.2 length with the top bit", [][]byte{bits("1 000 0010 1 1111111"), {0x80, 0, 0, 0, 0, 0, 0, 0}}, nil, 1002},
	{"5.2 length of all ones", [][]byte{bits("1 000 0010 1 1111111"), {255, 255, 255, 255, 255, 255, 255, 255}}, nil, 1002},
	{"5.2 length 2^62", [][]byte{bits("1 000 0010 1 1111111"), {0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, nil, 1009},
	{"5.2 length 2^63-1", [][]byte{bits("1 000 0010 1 1111111"), {127, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}}, nil, 1009},
	{"5.4 continuation whose sum wraps", [][]byte{client("0 000 0010", "xx"), bits("1 000 0000 1 1111111"), {127, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}}, nil, 1009},

	{"5.1 unmasked text", [][]byte{unmasked("1 000 0001", "hi")}, nil, 1002},
	{"5.1 unmasked empty text", [][]byte{unmasked("1 000 0001", "")}, nil, 1002},
	{"5.1 unmasked ping", [][]byte{unmasked("1 000 1001", "hi")}, nil, 1002},
	{"5.1 unmasked close", [][]byte{unmasked("1 000 1000", closePayload(1000, ""))}, nil, 1002},
	{"5.3 unmasked fragment", [][]byte{client("0 000 0001", "a"), unmasked("1 000 0000", "b")}, nil, 1002},
	{"5.3 key of zeros", [][]byte{{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}}, []frame{text("hi")}, 0},

	{"5.2 RSV1 without an extension", [][]byte{client("1 100 0001", "x")}, nil, 1002},
	{"5.2 RSV2", [][]byte{client("1 010 0001", "x")}, nil, 1002},
	{"5.2 RSV3", [][]byte{client("1 001 0001", "x")}, nil, 1002},
	{"5.2 all RSV", [][]byte{client("1 111 0010", "x")}, nil, 1002},
	{"5.2 RSV1 on a ping", [][]byte{client("1 100 1001", "x")}, nil, 1002},
	{"5.2 RSV2 on a close", [][]byte{client("1 010 1000", "")}, nil, 1002},
	{"5.2 RSV3 on a continuation", [][]byte{client("0 000 0001", "x"), client("1 001 0000", "x")}, nil, 1002},

	{"5.2 reserved opcode 3", [][]byte{client("1 000 0011", "")}, nil, 1002},
	{"5.2 reserved opcode 4", [][]byte{client("1 000 0100", "x")}, nil, 1002},
	{"5.2 reserved opcode 5", [][]byte{client("0 000 0101", "x")}, nil, 1002},
	{"5.2 reserved opcode 6", [][]byte{client("1 000 0110", "x")}, nil, 1002},
	{"5.2 reserved opcode 7", [][]byte{client("1 000 0111", "x")}, nil, 1002},
	{"5.2 reserved opcode 11", [][]byte{client("1 000 1011", "")}, nil, 1002},
	{"5.2 reserved opcode 12", [][]byte{client("1 000 1100", "x")}, nil, 1002},
	{"5.2 reserved opcode 13", [][]byte{client("1 000 1101", "x")}, nil, 1002},
	{"5.2 reserved opcode 14", [][]byte{client("1 000 1110", "x")}, nil, 1002},
	{"5.2 reserved opcode 15", [][]byte{client("1 000 1111", "x")}, nil, 1002},
	{"5.2 a good message before a reserved opcode", [][]byte{join(client("1 000 0001", "ok"), client("1 000 0011", ""))}, []frame{text("ok")}, 1002},

	{"5.4 two fragments", [][]byte{client("0 000 0001", "ab"), client("1 000 0000", "cd")}, []frame{text("abcd")}, 0},
	{"5.4 empty first fragment", [][]byte{client("0 000 0010", ""), client("1 000 0000", "cd")}, []frame{blob("cd")}, 0},
	{"5.4 only empty fragments", [][]byte{client("0 000 0001", ""), client("0 000 0000", ""), client("1 000 0000", "")}, []frame{text("")}, 0},
	{"5.4 empty last fragment", [][]byte{client("0 000 0001", "ab"), client("1 000 0000", "")}, []frame{text("ab")}, 0},
	{"5.4 ping between fragments", [][]byte{client("0 000 0001", "a"), client("1 000 1001", "p"), client("1 000 0000", "b")}, []frame{pong("p"), text("ab")}, 0},
	{"5.4 pong between fragments", [][]byte{client("0 000 0001", "a"), client("1 000 1010", "p"), client("1 000 0000", "b")}, []frame{text("ab")}, 0},
	{"5.4 continuation without a message", [][]byte{client("1 000 0000", "a")}, nil, 1002},
	{"5.4 unfinished continuation without a message", [][]byte{client("0 000 0000", "a")}, nil, 1002},
	{"5.4 continuation after a whole message", [][]byte{client("1 000 0001", "a"), client("1 000 0000", "b")}, []frame{text("a")}, 1002},
	{"5.4 continuation after the last fragment", [][]byte{client("0 000 0001", "a"), client("1 000 0000", "b"), client("1 000 0000", "c")}, []frame{text("ab")}, 1002},
	{"5.4 text inside a message", [][]byte{client("0 000 0001", "a"), client("1 000 0001", "b")}, nil, 1002},
	{"5.4 binary inside a text", [][]byte{client("0 000 0001", "a"), client("0 000 0010", "b")}, nil, 1002},
	{"5.4 close between fragments", [][]byte{client("0 000 0001", "a"), client("1 000 1000", closePayload(1000, ""))}, nil, 1000},

	{"5.5 ping of 125 bytes", [][]byte{client("1 000 1001", strings.Repeat("p", 125))}, []frame{pong(strings.Repeat("p", 125))}, 0},
	{"5.5 ping of 126 bytes", [][]byte{client("1 000 1001", strings.Repeat("p", 126))}, nil, 1002},
	{"5.5 pong of 126 bytes", [][]byte{client("1 000 1010", strings.Repeat("p", 126))}, nil, 1002},
	{"5.5 close of 126 bytes", [][]byte{client("1 000 1000", closePayload(1000, strings.Repeat("r", 124)))}, nil, 1002},
	{"5.5 ping with a 64-bit length", [][]byte{bits("1 000 1001 1 1111111")}, nil, 1002},
	{"5.5 fragmented ping", [][]byte{client("0 000 1001", "p")}, nil, 1002},
	{"5.5 fragmented pong", [][]byte{client("0 000 1010", "p")}, nil, 1002},
	{"5.5 fragmented close", [][]byte{client("0 000 1000", "")}, nil, 1002},
	{"5.5.2 empty ping", [][]byte{client("1 000 1001", "")}, []frame{pong("")}, 0},
	{"5.5.2 pong carries binary as it is", [][]byte{client("1 000 1001", "\x00\xff\xfe")}, []frame{pong("\x00\xff\xfe")}, 0},
	{"5.5.2 pings are answered in order", [][]byte{join(client("1 000 1001", "1"), client("1 000 1001", "2"), client("1 000 1001", "3"))}, []frame{pong("1"), pong("2"), pong("3")}, 0},
	{"5.5.3 unsolicited pong is ignored", [][]byte{client("1 000 1010", "who asked"), client("1 000 0001", "a")}, []frame{text("a")}, 0},

	{"8.1 text of every length of sequence", [][]byte{client("1 000 0001", "aß€😀\u0000")}, []frame{text("aß€😀\u0000")}, 0},
	{"8.1 sequence split between fragments", [][]byte{client("0 000 0001", "\xf0\x9f"), client("0 000 0000", "\x98"), client("1 000 0000", "\x80")}, []frame{text("😀")}, 0},
	{"8.1 noncharacter is text", [][]byte{client("1 000 0001", "\uffff\U0010ffff")}, []frame{text("\uffff\U0010ffff")}, 0},
	{"8.1 lone continuation byte", [][]byte{client("1 000 0001", "a\x80")}, nil, 1007},
	{"8.1 overlong slash", [][]byte{client("1 000 0001", "\xc0\xaf")}, nil, 1007},
	{"8.1 overlong in three bytes", [][]byte{client("1 000 0001", "\xe0\x80\xaf")}, nil, 1007},
	{"8.1 surrogate", [][]byte{client("1 000 0001", "\xed\xa0\x80")}, nil, 1007},
	{"8.1 above U+10FFFF", [][]byte{client("1 000 0001", "\xf4\x90\x80\x80")}, nil, 1007},
	{"8.1 byte fe", [][]byte{client("1 000 0001", "\xfe")}, nil, 1007},
	{"8.1 cut sequence at the end", [][]byte{client("1 000 0001", "a\xe2\x82")}, nil, 1007},
	{"8.1 cut sequence at the end of fragments", [][]byte{client("0 000 0001", "a\xe2"), client("1 000 0000", "\x82")}, nil, 1007},
	{"8.1 fails at the first bad byte of an unfinished frame", [][]byte{bits("1 000 0001 1 1111110 00000001 00000000"), {0, 0, 0, 0}, []byte("abc\xff")}, nil, 1007},
	{"8.1 fails at the first bad byte of an unfinished message", [][]byte{client("0 000 0001", "\xf4"), client("0 000 0000", "\x90")}, nil, 1007},
	{"8.1 fails in the middle of a sequence", [][]byte{client("0 000 0001", "\xed\xa0")}, nil, 1007},
	{"8.1 binary is not checked", [][]byte{client("1 000 0010", "\xff\xfe\xed\xa0\x80")}, []frame{blob("\xff\xfe\xed\xa0\x80")}, 0},

	{"5.5.1 close without payload is answered without", [][]byte{client("1 000 1000", "")}, nil, 1005},
	{"5.5.1 close payload of one byte", [][]byte{client("1 000 1000", "\x03")}, nil, 1002},
	{"5.5.1 close with reason", [][]byte{client("1 000 1000", closePayload(1000, "bye"))}, nil, 1000},
	{"5.5.1 reason of 123 bytes", [][]byte{client("1 000 1000", closePayload(1000, strings.Repeat("r", 123)))}, nil, 1000},
	{"5.5.1 reason that is not UTF-8", [][]byte{client("1 000 1000", closePayload(1000, "\xff"))}, nil, 1007},
	{"5.5.1 reason that is cut", [][]byte{client("1 000 1000", closePayload(1000, "\xe2\x82"))}, nil, 1007},
	{"5.5.1 data after close is dropped", [][]byte{join(client("1 000 1000", closePayload(1000, "")), client("1 000 0001", "late"))}, nil, 1000},
	{"5.5.1 ping after close is dropped", [][]byte{join(client("1 000 1000", closePayload(1000, "")), client("1 000 1001", "late"))}, nil, 1000},
	{"5.5.1 rubbish after close is dropped", [][]byte{join(client("1 000 1000", closePayload(1000, "")), []byte("rubbish"))}, nil, 1000},
	{"5.5.1 second close is dropped", [][]byte{join(client("1 000 1000", closePayload(1000, "")), client("1 000 1000", closePayload(1001, "")))}, nil, 1000},
	{"5.5.1 echo leaves before the close", [][]byte{join(client("1 000 0001", "a"), client("1 000 1000", closePayload(1000, "")))}, []frame{text("a")}, 1000},
}

func TestRFC6455(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, echo)
		for _, c := range rfc6455 {
			t.Run(c.name, func(t *testing.T) { c.hold(t, st, false) })
			t.Run(c.name+", byte by byte", func(t *testing.T) { c.hold(t, st, true) })
		}
	})
}

// hold has the conversation, whole writes or single bytes.
func (c conversation) hold(t *testing.T, st *site, single bool) {
	peer := st.raw(t)
	for _, part := range c.send {
		if single && len(part) < 1000 {
			for i := range part {
				peer.write(part[i : i+1])
			}
			continue
		}
		peer.write(part)
	}
	for _, want := range c.want {
		peer.expect(want.Op, string(want.payload))
	}
	if c.code == 0 {
		peer.alive()
		return
	}
	peer.expectClose(c.code)
}

// Each close code as RFC 6455 section 7.4 and the IANA registry have it: a
// legal one is echoed, any other is a protocol error.
func TestCloseCodesOfPeers(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, echo)
		for code, want := range map[int]StatusCode{
			0: 1002, 1: 1002, 999: 1002, 1000: 1000, 1001: 1001, 1002: 1002, 1003: 1003,
			1004: 1002, 1005: 1002, 1006: 1002, 1007: 1007, 1008: 1008, 1009: 1009, 1010: 1010,
			1011: 1011, 1012: 1012, 1013: 1013, 1014: 1014, 1015: 1002, 1016: 1002, 1100: 1002,
			2000: 1002, 2999: 1002, 3000: 3000, 3999: 3999, 4000: 4000, 4999: 4999, 5000: 1002, 65535: 1002,
		} {
			peer := st.raw(t)
			peer.write(client("1 000 1000", closePayload(code, "")))
			peer.expectClose(want)
			if t.Failed() {
				t.Fatalf("that was for %d", code)
			}
		}
	})
}

// end is what OnClose was told.
type end struct {
	code   StatusCode
	reason string
}

// ends has OnClose tell of the end on the channel.
func ends(s *Socket) <-chan end {
	ch := make(chan end, 8)
	s.OnClose(func(code StatusCode, reason string) { ch <- end{code, reason} })
	return ch
}

// meet serves one socket, and hands it out with what its OnClose tells.
func meet(t testing.TB, n network, opts Options) (*site, *raw, *Socket, <-chan end) {
	t.Helper()
	sockets := make(chan *Socket, 1)
	told := make(chan (<-chan end), 1)
	st := n.serve(t, opts, func(s *Socket) error {
		told <- ends(s)
		sockets <- s
		return nil
	})
	peer := st.raw(t)
	return st, peer, wait(t, sockets, "the handler"), <-told
}

func TestCloseHandshake(t *testing.T) {
	long := strings.Repeat("ä", 100)
	for _, c := range []struct {
		name       string
		code       StatusCode
		reason     string
		wireCode   StatusCode
		wireReason string
	}{
		{"7.1.2 with code and reason", 1000, "done", 1000, "done"},
		{"7.4.2 with a code of the application", 4321, "", 4321, ""},
		{"5.5.1 without a code", 1005, "", 1005, ""},
		{"5.5.1 reason is cut between characters at 123 bytes", 1001, long, 1001, long[:122]},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				_, peer, s, told := meet(t, n, Options{})
				if err := s.Close(c.code, c.reason); err != nil {
					t.Fatal(err)
				}
				if err := s.Send("late"); !errors.Is(err, ErrClosed) {
					t.Errorf("Send after Close: %v", err)
				}
				if reason := peer.expectClose(c.wireCode); reason != c.wireReason {
					t.Errorf("reason is %q, want %q", reason, c.wireReason)
				}
				if got := wait(t, told, "OnClose"); got.code != c.code {
					t.Errorf("OnClose got %v", got)
				}
			})
		})
	}
}

func TestCloseRefusesCodesThatMustNotBeSent(t *testing.T) {
	_, peer, s, _ := meet(t, inMemory, Options{})
	for _, code := range []StatusCode{1, 999, 1004, 1006, 1015, 1016, 2999, 5000} {
		if err := s.Close(code, ""); err == nil {
			t.Errorf("Close(%d) is no error", code)
		}
	}
	peer.alive()
}

func TestSecondCloseChangesNothing(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, told := meet(t, n, Options{})
		s.Close(4000, "first")
		s.Close(4001, "second")
		peer.expectClose(4000)
		if got := wait(t, told, "OnClose"); got != (end{4000, "first"}) {
			t.Errorf("OnClose got %v", got)
		}
	})
}

func TestCloseOfPeerIsTold(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, told := meet(t, n, Options{})
		peer.write(client("1 000 1000", closePayload(4100, "tschüss")))
		peer.expectClose(4100)
		if got := wait(t, told, "OnClose"); got != (end{4100, "tschüss"}) {
			t.Errorf("OnClose got %v", got)
		}
		var end *CloseError
		if _, err := s.Receive(t.Context()); !errors.As(err, &end) || !end.Remote || end.Code != 4100 || !errors.Is(err, ErrClosed) {
			t.Errorf("Receive says %v", err)
		}
		<-s.Context().Done()
		if cause := context.Cause(s.Context()); !errors.As(cause, &end) {
			t.Errorf("the context's cause is %v", cause)
		}
	})
}

func TestConnectionLostWithoutCloseIs1006(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, _, told := meet(t, n, Options{})
		peer.conn.Close()
		if got := wait(t, told, "OnClose"); got.code != StatusAbnormalClosure {
			t.Errorf("OnClose got %v", got)
		}
	})
}

func TestDataBetweenTheTwoCloseFramesIsDropped(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, told := meet(t, n, Options{})
		s.OnMessage(func(m Message) { t.Errorf("message %q after our close frame", m.Text()) })
		s.Close(1000, "")
		peer.write(client("1 000 0001", "late"), client("1 000 1001", "late"))
		peer.expectClose(1000)
		wait(t, told, "OnClose")
	})
}

func TestPeerThatNeverAnswersTheCloseIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, peer, s, told := meet(t, inMemory, Options{CloseTimeout: 3 * time.Second})
		start := time.Now()
		s.Close(1000, "done")
		if got := wait(t, told, "OnClose"); got != (end{1000, "done"}) {
			t.Errorf("OnClose got %v", got)
		}
		if d := time.Since(start); d < 3*time.Second || d > 4*time.Second {
			t.Errorf("cut after %v", d)
		}
		st.settle(peer)
	})
}
