package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// deflated compresses with the standard library, an implementation that is
// not ours (RFC 7692 section 7.2.1).
func deflated(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, s)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// peerFlate is both contexts of a client with takeover.
type peerFlate struct {
	out  bytes.Buffer
	w    *flate.Writer
	seen []byte // what the server's messages have held, at most a window
}

func newPeerFlate() *peerFlate {
	p := &peerFlate{}
	p.w, _ = flate.NewWriter(&p.out, flate.BestCompression)
	return p
}

func (p *peerFlate) deflate(s string) string {
	p.out.Reset()
	io.WriteString(p.w, s)
	p.w.Flush()
	return strings.TrimSuffix(p.out.String(), "\x00\x00\xff\xff")
}

// inflate reads a compressed message, with what came before as dictionary.
func (p *peerFlate) inflate(b []byte) (string, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), p.seen)
	out, err := io.ReadAll(r)
	p.seen = append(p.seen, out...)
	p.seen = p.seen[max(0, len(p.seen)-32<<10):]
	return string(out), err
}

var (
	alone    = Options{Compression: Compression{Enabled: true, Threshold: 1}}
	takeover = Options{Compression: Compression{Enabled: true, Threshold: 1, ContextTakeover: true}}
)

const offer = "Sec-WebSocket-Extensions: "

func TestDeflateNegotiation(t *testing.T) {
	const none = "server_no_context_takeover; client_no_context_takeover"
	for _, c := range []struct {
		name  string
		opts  Options
		lines []string
		want  string // of the answer's header, "" for none
	}{
		{"off", Options{}, []string{"permessage-deflate"}, ""},
		{"not offered", alone, nil, ""},
		{"7.1 plain offer, no takeover", alone, []string{"permessage-deflate"}, "permessage-deflate; " + none},
		{"7.1 plain offer, takeover", takeover, []string{"permessage-deflate"}, "permessage-deflate"},
		{"7.1.1.1 server_no_context_takeover is obeyed", takeover, []string{"permessage-deflate; server_no_context_takeover"}, "permessage-deflate; server_no_context_takeover"},
		{"7.1.1.2 client_no_context_takeover may be a hint", alone, []string{"permessage-deflate; client_no_context_takeover"}, "permessage-deflate; " + none},
		{"7.1.2.1 server_max_window_bits is obeyed", takeover, []string{"permessage-deflate; server_max_window_bits=10"}, "permessage-deflate; server_max_window_bits=10"},
		{"5.2 quoted value", takeover, []string{`permessage-deflate; server_max_window_bits="10"`}, "permessage-deflate; server_max_window_bits=10"},
		{"7.1.2.1 window of 7 bits", alone, []string{"permessage-deflate; server_max_window_bits=7"}, ""},
		{"7.1.2.1 window of 16 bits", alone, []string{"permessage-deflate; server_max_window_bits=16"}, ""},
		{"7.1.2.1 leading zero", alone, []string{"permessage-deflate; server_max_window_bits=010"}, ""},
		{"7.1.2.1 value missing", alone, []string{"permessage-deflate; server_max_window_bits"}, ""},
		{"7.1.2.2 window of 16 bits", alone, []string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{"7.1.1.1 value where none may be", alone, []string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{"7.1 unknown parameter", alone, []string{"permessage-deflate; level=9"}, ""},
		{"7.1 repeated parameter", alone, []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ""},
		{"7.1 declined, then taken", takeover, []string{"permessage-deflate; level=9, permessage-deflate"}, "permessage-deflate"},
		{"5.1 second line is taken", takeover, []string{"x-webkit-deflate-frame", "permessage-deflate"}, "permessage-deflate"},
		{"9.1 other extension", alone, []string{"permessage-bzip2"}, ""},
		{"6455 9.1 broken grammar", alone, []string{"permessage-deflate; ="}, ""},
		{"6455 9.1 open quote", alone, []string{`permessage-deflate; server_max_window_bits="10`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st := n.serve(t, c.opts, echo)
				var lines []string
				for _, l := range c.lines {
					lines = append(lines, offer+l)
				}
				peer := st.raw(t, lines...)
				if got := peer.answer.Header.Get("Sec-WebSocket-Extensions"); got != c.want {
					t.Errorf("answer is %q, want %q", got, c.want)
				}
				peer.alive()
			})
		})
	}
}

// An offer of client_max_window_bits may be answered or not (RFC 7692 section
// 7.1.2.2); the answer is never more than was offered.
func TestDeflateClientWindow(t *testing.T) {
	st := inMemory.serve(t, takeover, echo)
	peer := st.raw(t, offer+"permessage-deflate; client_max_window_bits=9")
	got := peer.answer.Header.Get("Sec-WebSocket-Extensions")
	if !strings.HasPrefix(got, "permessage-deflate") || strings.Contains(got, "client_max_window_bits=1") {
		t.Errorf("answer is %q", got)
	}
	peer = st.raw(t, offer+"permessage-deflate")
	if got := peer.answer.Header.Get("Sec-WebSocket-Extensions"); strings.Contains(got, "client_max_window_bits") {
		t.Errorf("answer %q to an offer without it", got)
	}
}

func TestDeflateFrames(t *testing.T) {
	hello, empty, long := deflated("Hello"), "\x00", deflated(strings.Repeat("long ", 1000))
	for _, c := range []conversation{
		{"7.2.3.1 compressed message", [][]byte{client("1 100 0001", hello)}, []frame{text("Hello")}, 0},
		{"7.2.3.1 the RFC's own bytes", [][]byte{client("1 100 0001", "\xf2\x48\xcd\xc9\xc9\x07\x00")}, []frame{text("Hello")}, 0},
		{"7.2.3.3 stored block", [][]byte{client("1 100 0001", "\x00\x05\x00\xfa\xffHello\x00")}, []frame{text("Hello")}, 0},
		{"7.2.3.4 block with BFINAL", [][]byte{client("1 100 0001", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")}, []frame{text("Hello")}, 0},
		{"7.2.3.5 two blocks", [][]byte{client("1 100 0001", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")}, []frame{text("Hello")}, 0},
		{"7.2.3.6 empty message", [][]byte{client("1 100 0010", empty)}, []frame{blob("")}, 0},
		{"6.1 plain message among compressed", [][]byte{client("1 000 0001", "plain"), client("1 100 0001", hello)}, []frame{text("plain"), text("Hello")}, 0},
		{"6.1 fragmented compressed", [][]byte{client("0 100 0001", hello[:3]), client("0 000 0000", ""), client("1 000 0000", hello[3:])}, []frame{text("Hello")}, 0},
		{"6.1 ping between compressed fragments", [][]byte{client("0 100 0001", hello[:3]), client("1 000 1001", "p"), client("1 000 0000", hello[3:])}, []frame{pong("p"), text("Hello")}, 0},
		{"6.1 long message", [][]byte{client("1 100 0010", long)}, []frame{blob(strings.Repeat("long ", 1000))}, 0},
		{"6.1 RSV1 on a continuation", [][]byte{client("0 100 0001", hello[:3]), client("1 100 0000", hello[3:])}, nil, 1002},
		{"6.1 RSV1 on a ping", [][]byte{client("1 100 1001", "p")}, nil, 1002},
		{"6.1 RSV1 on a close", [][]byte{client("1 100 1000", closePayload(1000, ""))}, nil, 1002},
		{"6455 5.2 RSV2", [][]byte{client("1 110 0001", hello)}, nil, 1002},
		{"7.2.2 rubbish", [][]byte{client("1 100 0010", "\xff\xff\xff\xff")}, nil, 1007},
		{"7.2.2 distance before the first byte", [][]byte{client("1 100 0010", "\x4a\x04\x12\x00")}, nil, 1007},
		{"6455 8.1 inflates to bad UTF-8", [][]byte{client("1 100 0001", deflated("bad \xff"))}, nil, 1007},
		{"6455 8.1 inflates to cut UTF-8", [][]byte{client("1 100 0001", deflated("bad \xe2\x82"))}, nil, 1007},
		{"binary inflates to anything", [][]byte{client("1 100 0010", deflated("\xff\xfe"))}, []frame{blob("\xff\xfe")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				for _, opts := range []Options{alone, takeover} {
					c.deflate(t, n.serve(t, opts, echo))
				}
			})
		})
	}
}

// deflate has the conversation on a socket with compression.
func (c conversation) deflate(t *testing.T, st *site) {
	peer := st.raw(t, offer+"permessage-deflate")
	ours := newPeerFlate()
	for _, part := range c.send {
		peer.write(part)
	}
	for _, want := range c.want {
		f, ok := peer.next()
		if !ok {
			t.Fatal("connection ended")
		}
		got := string(f.payload)
		if f.Rsv1 {
			var err error
			if got, err = ours.inflate(f.payload); err != nil {
				t.Fatal(err)
			}
		}
		if f.Op != want.Op || got != string(want.payload) {
			t.Fatalf("frame is %d %.80q, want %d %.80q", f.Op, got, want.Op, want.payload)
		}
	}
	if c.code == 0 {
		peer.alive()
		return
	}
	peer.expectClose(c.code)
}

// With takeover, a message may refer to the ones before it, both ways and also
// after messages without compression (RFC 7692 section 7.2.3.2).
func TestDeflateTakeover(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, takeover, echo).raw(t, offer+"permessage-deflate")
		ours := newPeerFlate()
		sizes := make([]int, 0, 60)
		for i := range 60 {
			random := rand.NewChaCha8([32]byte{byte(i % 7)})
			noise := make([]byte, 200)
			random.Read(noise)
			message := hex.EncodeToString(noise)
			if i%5 == 4 {
				peer.write(client("1 000 0001", message))
			} else {
				peer.write(client("1 100 0001", ours.deflate(message)))
			}
			f, ok := peer.next()
			if !ok || !f.Rsv1 {
				t.Fatalf("message %d came back uncompressed or not at all", i)
			}
			got, err := ours.inflate(f.payload)
			if err != nil || got != message {
				t.Fatalf("message %d came back as %.40q, %v", i, got, err)
			}
			sizes = append(sizes, len(f.payload))
		}
		if sizes[7] >= sizes[0]/2 {
			t.Errorf("the same message took %d bytes first and %d later: no takeover", sizes[0], sizes[7])
		}
	})
}

func TestDeflateWithoutTakeoverForgets(t *testing.T) {
	peer := inMemory.serve(t, alone, echo).raw(t, offer+"permessage-deflate")
	message := strings.Repeat("the same words ", 4)
	ours := newPeerFlate()
	peer.write(client("1 100 0001", ours.deflate(message)))
	peer.next()
	peer.write(client("1 100 0001", ours.deflate(message))) // refers to the first
	peer.expectClose(1007)
}

// The limit counts inflated bytes over all fragments: the limit itself passes,
// one byte more does not.
func TestDeflateLimit(t *testing.T) {
	const limit = 64 << 10
	for _, opts := range []Options{alone, takeover} {
		opts.MaxMessageSize = limit
		run(t, func(t *testing.T, n network) {
			for _, kind := range []string{"zeros", "noise"} {
				for _, size := range []int{limit - 1, limit, limit + 1, limit + 2, 4 * limit} {
					for _, pieces := range []int{1, 7} {
						bomb(t, n.serve(t, opts, sizes), kind, size, pieces, size <= limit)
					}
				}
			}
		})
	}
}

// sizes answers each message with its length.
func sizes(s *Socket) error {
	s.OnMessage(func(m Message) { s.Ping([]byte("got it")) })
	return nil
}

func bomb(t *testing.T, st *site, kind string, size, pieces int, pass bool) {
	t.Helper()
	data := make([]byte, size)
	if kind == "noise" {
		random := rand.NewChaCha8([32]byte{1})
		random.Read(data)
	}
	peer := st.raw(t, offer+"permessage-deflate")
	packed := deflated(string(data))
	go func() {
		for i := range pieces {
			first := "0 000 0000"
			switch {
			case pieces == 1:
				first = "1 100 0010"
			case i == 0:
				first = "0 100 0010"
			case i == pieces-1:
				first = "1 000 0000"
			}
			peer.write(client(first, packed[i*len(packed)/pieces:(i+1)*len(packed)/pieces]))
		}
	}()
	if pass {
		peer.expect(wire.OpPing, "got it")
		return
	}
	peer.expectClose(1009)
}

// What does not compress gets longer on the wire, by the headers of DEFLATE's stored
// blocks (RFC 1951 section 3.2.4); the limit is the message's. zlib makes blocks of
// 2 KiB with a memLevel of 5, and of 128 bytes or fewer with a memLevel of 1.
func TestDeflateLimitIsNotThatOfTheWire(t *testing.T) {
	const limit = 1 << 20
	random := rand.NewChaCha8([32]byte{2})
	noise := make([]byte, limit+1)
	random.Read(noise)
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, alone, sizes)
		for _, block := range []int{1<<16 - 1, 2 << 10, 128, 100} {
			for _, size := range []int{limit - 2000, limit - 400, limit, limit + 1} {
				packed := stored(noise[:size], block)
				peer := st.raw(t, offer+"permessage-deflate")
				go peer.write(client("1 100 0010", packed))
				if size > limit {
					peer.expectClose(StatusMessageTooBig)
					continue
				}
				if f, ok := peer.next(); !ok || f.Op != wire.OpPing {
					t.Errorf("%d bytes, %d on the wire: opcode %d %q", size, len(packed), f.Op, f.payload)
				}
			}
		}
	})
}

// stored is data in stored blocks, as a message (RFC 7692 section 7.2.1).
func stored(data []byte, block int) string {
	var b []byte
	for part := range slices.Chunk(data, block) {
		n := uint16(len(part))
		b = binary.LittleEndian.AppendUint16(append(b, 0), n)
		b = append(binary.LittleEndian.AppendUint16(b, ^n), part...)
	}
	return string(append(b, 0))
}

// zeroBomb is 1 GiB of zeros, compressed to 1 MiB.
func zeroBomb(t *testing.T) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for range 16 {
		w.Write(block)
	}
	w.Flush()
	unit := b.Bytes()
	// A flushed block of zeros refers to nothing but zeros, so it can be repeated.
	return strings.Repeat(string(unit), 64)
}

func TestDeflateBombOfOneGiB(t *testing.T) {
	packed := zeroBomb(t)
	for _, opts := range []Options{alone, takeover} {
		run(t, func(t *testing.T, n network) {
			st := n.serve(t, opts, sizes)
			first, last := client("0 100 0010", packed[:len(packed)/2]), client("1 000 0000", packed[len(packed)/2:])
			peer := st.raw(t, offer+"permessage-deflate")
			before := allocated()
			go peer.write(first, last)
			peer.expectClose(1009)
			if n := allocated() - before; n > 32<<20 { // half of it the peer's own
				t.Errorf("%d bytes were allocated", n)
			}
		})
	}
}

// allocated is what the process has ever allocated, in bytes: no collection changes it.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// What the server sends: nothing small is compressed, nothing grows.
func TestDeflateThreshold(t *testing.T) {
	opts := Options{Compression: Compression{Enabled: true, Threshold: 100}}
	noise := make([]byte, 1000)
	random := rand.NewChaCha8([32]byte{2})
	random.Read(noise)
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, opts, echo).raw(t, offer+"permessage-deflate")
		for _, c := range []struct {
			payload string
			want    bool
		}{
			{strings.Repeat("a", 99), false},
			{strings.Repeat("a", 100), true},
			{string(noise), false},
		} {
			peer.write(client("1 000 0010", c.payload))
			if f, _ := peer.next(); f.Rsv1 != c.want {
				t.Errorf("%d bytes: compressed is %t", len(c.payload), f.Rsv1)
			}
		}
	})
}

// A message that the full queue refuses must not be in the compressor's window
// afterwards.
func TestDeflateTakeoverSurvivesDroppedMessages(t *testing.T) {
	opts := takeover
	opts.SlowConsumer, opts.SendQueue = DropNewest, 4<<10
	sockets := make(chan *Socket, 1)
	st := inMemory.serve(t, opts, func(s *Socket) error { sockets <- s; return nil })
	peer := st.connect(t)
	peer.shake(offer + "permessage-deflate")
	s := wait(t, sockets, "the handler")
	dropped := 0
	var sent []string
	for i := range 200 {
		noise := make([]byte, 300)
		random := rand.NewChaCha8([32]byte{byte(i)})
		random.Read(noise)
		switch err := s.SendBinary(noise); {
		case err == nil:
			sent = append(sent, string(noise))
		case errors.Is(err, ErrDropped):
			dropped++
		default:
			t.Fatal(err)
		}
	}
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	go peer.read(peer.reader)
	ours := newPeerFlate()
	for i, want := range sent {
		f, ok := peer.next()
		if !ok {
			t.Fatal("connection ended")
		}
		if got, err := ours.inflate(f.payload); err != nil || got != want {
			t.Fatalf("message %d cannot be read: %v", i, err)
		}
	}
}

// What waits for Receive is bounded in bytes, however small it has been on the wire.
func TestBombsForReceiveWait(t *testing.T) {
	const size, count = 1 << 20, 40
	zeros := strings.Repeat("\x00", size)
	run(t, func(t *testing.T, n network) {
		read := make(chan bool)
		got := make(chan int, count)
		var s *Socket
		st := n.serve(t, alone, func(socket *Socket) error {
			s = socket
			for {
				m, err := s.Receive(t.Context())
				if err != nil {
					return nil
				}
				got <- len(m.Bytes())
				<-read
			}
		})
		peer := st.raw(t, offer+"permessage-deflate")
		go peer.write(bytes.Repeat(client("1 100 0010", deflated(zeros)), count), client("1 000 1001", "all?"))
		for range count {
			if size := wait(t, got, "a message"); size != len(zeros) {
				t.Fatalf("message of %d bytes", size)
			}
			if held := s.conn.Look().Bytes; held > conn.InboxLimit+size+conn.MessageCost {
				t.Errorf("%d bytes wait", held)
			}
			read <- true
		}
		peer.expect(wire.OpPong, "all?")
	})
}
