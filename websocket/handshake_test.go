package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const keyLine = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func TestHandshakeRequests(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string // an edit of the greeting
		want     int
		header   string // that the answer must have
	}{
		{"4.2.1 as the RFC has it", "", "", 101, "Sec-Websocket-Accept"},
		{"4.2.1 names of headers in any case", "Upgrade: websocket\r\nConnection: Upgrade", "uPGRADE: WebSocket\r\ncONNECTION: uPgRaDe", 101, ""},
		{"4.2.1 Connection is a list", "Connection: Upgrade", "Connection: keep-alive, Upgrade", 101, ""},
		{"4.2.1 Connection in two lines", "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade", 101, ""},
		{"4.2.1 Upgrade is a list", "Upgrade: websocket", "Upgrade: h2c, websocket", 101, ""},
		{"4.2.1 spaces around the key", "Key: dGhlIHNhbXBsZSBub25jZQ==", "Key:   dGhlIHNhbXBsZSBub25jZQ==  ", 101, ""},
		{"4.2.1 query and path", "GET /chat", "GET /chat?a=b", 101, ""},

		{"4.2.1 POST", "GET", "POST", 405, "Allow"},
		{"4.2.1 HEAD", "GET", "HEAD", 405, "Allow"},
		{"4.2.1 HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 426, ""},
		{"4.2.1 no Host", "Host: server.example\r\n", "", 400, ""},
		{"4.2.1 empty Host", "Host: server.example", "Host:", 400, ""},
		{"4.2.1 no Upgrade", "Upgrade: websocket\r\n", "", 426, "Upgrade"},
		{"4.2.1 other Upgrade", "Upgrade: websocket", "Upgrade: h2c", 426, "Upgrade"},
		{"4.2.1 Upgrade with a version", "Upgrade: websocket", "Upgrade: websocket/13", 426, "Upgrade"},
		{"4.2.1 no Connection", "Connection: Upgrade\r\n", "", 426, "Upgrade"},
		{"4.2.1 Connection names another", "Connection: Upgrade", "Connection: keep-alive", 426, "Upgrade"},
		{"4.2.1 Connection only contains the word", "Connection: Upgrade", "Connection: upgraded", 426, "Upgrade"},
		{"4.2.1 no key", keyLine, "", 400, ""},
		{"4.2.1 two keys", keyLine, keyLine + keyLine, 400, ""},
		{"4.2.1 empty key", "dGhlIHNhbXBsZSBub25jZQ==", "", 400, ""},
		{"4.2.1 key of 15 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400, ""},
		{"4.2.1 key of 17 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE=", 400, ""},
		{"4.2.1 key in no base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", 400, ""},
		{"4.2.1 key without padding", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400, ""},
		{"4.2.1 no version", "Sec-WebSocket-Version: 13\r\n", "", 426, "Sec-Websocket-Version"},
		{"4.4 version 8", "Version: 13", "Version: 8", 426, "Sec-Websocket-Version"},
		{"4.4 version 14", "Version: 13", "Version: 14", 426, "Sec-Websocket-Version"},
		{"4.4 version 013", "Version: 13", "Version: 013", 426, "Sec-Websocket-Version"},
		{"4.4 list of versions", "Version: 13", "Version: 13, 8", 426, "Sec-Websocket-Version"},
		{"4.4 two versions", "Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n", 426, "Sec-Websocket-Version"},
		{"a body", "Version: 13\r\n\r\n", "Version: 13\r\nContent-Length: 2\r\n\r\nhi", 400, ""},
		{"a chunked body", "Version: 13\r\n\r\n", "Version: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"an ordinary GET", "Upgrade: websocket\r\nConnection: Upgrade\r\n" + keyLine + "Sec-WebSocket-Version: 13\r\n", "", 426, "Upgrade"},
		{"no space before the colon", "Upgrade: websocket", "Upgrade : websocket", 400, ""},
		{"a folded header", "Upgrade: websocket", "Upgrade:\r\n websocket\r\nX: y", 0, ""},
		{"protocol is no token", "Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Protocol: a b\r\n", 400, ""},
		{"protocols over the limit", "Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Protocol: " + strings.Repeat("a,", 65) + "\r\n", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st := n.serve(t, Options{}, echo)
				text := strings.Replace(greeting(), c.old, c.new, 1)
				if c.old != "" && text == greeting() {
					t.Fatal("the edit changes nothing")
				}
				peer := st.request(t, text)
				if c.want != 0 && peer.answer.StatusCode != c.want {
					t.Errorf("answer is %s, want %d", peer.answer.Status, c.want)
				}
				if c.header != "" && peer.answer.Header.Get(c.header) == "" {
					t.Errorf("answer has no %s: %v", c.header, peer.answer.Header)
				}
			})
		})
	}
}

func TestHandshakeAnswer(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		h := n.serve(t, Options{}, echo).raw(t).answer.Header
		for name, want := range map[string]string{
			"Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // RFC 6455 section 1.3
			"Upgrade":              "websocket",
			"Connection":           "Upgrade",
		} {
			if got := h[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"Sec-Websocket-Protocol", "Sec-Websocket-Extensions", "Content-Length", "Transfer-Encoding"} {
			if _, ok := h[name]; ok {
				t.Errorf("answer has %s, which nobody asked for", name)
			}
		}
	})
}

func TestSubprotocols(t *testing.T) {
	for _, c := range []struct {
		name  string
		ours  []string
		lines []string
		want  string
	}{
		{"ours comes first", []string{"b", "a"}, []string{"a, b"}, "b"},
		{"theirs in two lines", []string{"b"}, []string{"a", "b"}, "b"},
		{"none in common", []string{"c"}, []string{"a, b"}, ""},
		{"we have none", nil, []string{"a"}, ""},
		{"they have none", []string{"a"}, nil, ""},
		{"case matters", []string{"chat"}, []string{"Chat"}, ""},
		{"empty elements are skipped", []string{"a"}, []string{", ,a,"}, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := make(chan string, 1)
			st := inMemory.serve(t, Options{Protocols: c.ours}, func(s *Socket) error {
				seen <- s.Protocol()
				return nil
			})
			var lines []string
			for _, l := range c.lines {
				lines = append(lines, "Sec-WebSocket-Protocol: "+l)
			}
			if got := st.raw(t, lines...).answer.Header.Get("Sec-WebSocket-Protocol"); got != c.want {
				t.Errorf("answer is %q, want %q", got, c.want)
			}
			if got := wait(t, seen, "the handler"); got != c.want {
				t.Errorf("Protocol() is %q, want %q", got, c.want)
			}
		})
	}
}

func TestSetUpMistakesPanicAndNameTheFix(t *testing.T) {
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"origin without scheme": {Options{AllowOrigins: []string{"a.example"}}, "write scheme and host"},
		"star inside":           {Options{AllowOrigins: []string{"https://a.*.example"}}, "AllowOrigins"},
		"star as host":          {Options{AllowOrigins: []string{"https://*"}}, "AllowOrigins"},
		"half a label":          {Options{AllowOrigins: []string{"https://*a.example"}}, "AllowOrigins"},
		"origin with path":      {Options{AllowOrigins: []string{"https://a.example/"}}, "AllowOrigins"},
		"empty origin":          {Options{AllowOrigins: []string{""}}, "AllowOrigins"},
		"level":                 {Options{Compression: Compression{Level: 10}}, "use 1 to 9"},
		"policy":                {Options{SlowConsumer: 9}, "DropOldest"},
		"message size":          {Options{MaxMessageSize: -1}, "MaxMessageSize"},
		"rate":                  {Options{RateLimit: RateLimit{Messages: -1}}, "RateLimit"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), c.want) {
					t.Errorf("panic is %v, want a text with %q", v, c.want)
				}
			}()
			NewServer(c.opts)
		})
	}
}

// eventually spins until ok, for what has no event of its own to wait for.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func TestVerifyClient(t *testing.T) {
	for _, c := range []struct {
		name   string
		verify func(*http.Request) error
		want   int
		body   string
	}{
		{"let in", func(r *http.Request) error { return nil }, 101, ""},
		{"an error is 403 and keeps its text", func(r *http.Request) error { return errors.New("secret") }, 403, "refused\n"},
		{"its own status", func(r *http.Request) error {
			return fmt.Errorf("wrapped: %w", &HandshakeError{Status: 401, Message: "log in", Header: http.Header{"Www-Authenticate": {"Basic"}}})
		}, 401, "log in\n"},
		{"a panic is 500", func(r *http.Request) error { panic("secret") }, 500, "internal error\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st := n.serve(t, Options{VerifyClient: c.verify, Logger: quiet}, echo)
				peer := st.request(t, greeting())
				if peer.answer.StatusCode != c.want {
					t.Errorf("answer is %s, want %d", peer.answer.Status, c.want)
				}
				if c.want == 101 {
					return
				}
				if body, _ := io.ReadAll(peer.answer.Body); string(body) != c.body {
					t.Errorf("body is %q, want %q", body, c.body)
				}
				if c.want == 401 && peer.answer.Header.Get("WWW-Authenticate") != "Basic" {
					t.Errorf("header is lost: %v", peer.answer.Header)
				}
			})
		})
	}
}

// Frames in the same segment as the request are kept until somebody listens.
func TestFramesBehindTheRequest(t *testing.T) {
	frames := join(client("1 000 0001", "one"), client("1 000 1001", "ping"), client("0 000 0001", "t"), client("1 000 0000", "wo"))
	for cut := range len(frames) + 1 {
		if testing.Short() && cut%5 != 0 {
			continue
		}
		run(t, func(t *testing.T, n network) {
			st := n.serve(t, Options{}, echo)
			peer := st.connect(t)
			go func() {
				io.WriteString(peer.conn, greeting()+string(frames[:cut]))
				peer.write(frames[cut:])
			}()
			peer.ask("")
			go peer.read(peer.reader)
			got := map[string]wire.Opcode{}
			for range 3 {
				f, ok := peer.next()
				if !ok {
					t.Fatal("connection ended")
				}
				got[string(f.payload)] = f.Op
			}
			if got["one"] != wire.OpText || got["two"] != wire.OpText || got["ping"] != wire.OpPong {
				t.Fatalf("got %v", got)
			}
		})
	}
}

func TestFramesWaitForTheHandler(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		release := make(chan struct{})
		st := n.serve(t, Options{}, func(s *Socket) error {
			<-release
			return echo(s)
		})
		peer := st.request(t, greeting()+string(client("1 000 0001", "early")))
		go peer.write(client("1 000 0001", "later"))
		close(release)
		peer.expect(wire.OpText, "early")
		peer.expect(wire.OpText, "later")
	})
}

// Headers that are made to be slow to read are declined or refused, and the
// next client is served.
func TestHeadersMadeToBeSlow(t *testing.T) {
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: y", i)
	}
	extensions := func(s string) []string { return []string{offer + s} }
	for name, lines := range map[string][]string{
		"64 KiB of spaces in an extension":   extensions("permessage-deflate;" + strings.Repeat(" ", 64<<10) + "x"),
		"64 KiB of spaces in a list":         extensions("a" + strings.Repeat(" ,", 32<<10)),
		"64 KiB of quotes":                   extensions(`a; b="` + strings.Repeat(`\"`, 32<<10)),
		"10,000 offers":                      extensions(strings.Repeat("permessage-deflate; server_max_window_bits=99,", 10000) + "x"),
		"10,000 parameters":                  extensions("permessage-deflate" + strings.Repeat("; a=1", 10000)),
		"64 KiB of spaces in Connection":     {"Connection: a" + strings.Repeat(" ", 64<<10) + "b"},
		"64 KiB of commas in Upgrade":        {"Upgrade: " + strings.Repeat(",", 64<<10)},
		"64 KiB of commas in protocols":      {"Sec-WebSocket-Protocol: " + strings.Repeat(",", 64<<10)},
		"64 KiB of dots in Origin":           {"Origin: http://" + strings.Repeat("a.", 32<<10)},
		"2,000 headers":                      many,
		"2,000 lines of the same header":     strings.Split(strings.TrimSuffix(strings.Repeat("Connection: x\n", 2000), "\n"), "\n"),
		"2 MiB of one header":                {"X: " + strings.Repeat("y", 2<<20)},
		"version of 64 KiB":                  {"Sec-WebSocket-Version: " + strings.Repeat("1", 64<<10)},
		"1,000 keys":                         strings.Split(strings.Repeat(strings.TrimSpace(keyLine)+"\n", 1000)+"X: y", "\n"),
		"control characters in a user agent": {"User-Agent: \x01\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				st := n.serve(t, alone, echo)
				took := time.Hour
				for range 3 { // a machine may be busy once
					start := time.Now()
					switch got := st.request(t, greeting(lines...)).answer.StatusCode; got {
					case 101, 400, 403, 426, 431:
					default:
						t.Errorf("answer is %d", got)
					}
					if took = min(took, time.Since(start)); took < time.Second {
						break
					}
				}
				if took > 2*time.Second {
					t.Errorf("took %v", took)
				}
				st.raw(t).alive()
			})
		})
	}
}

func TestConnectingSocket(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{})
		st := n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "id", Value: "7"})
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("X-Split", "a\r\nX-Evil: b")
			h, err := srv.Accept(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			s := h.Socket()
			s.Set("user", "ann")
			if s.State() != StateConnecting || s.Send("queued") != nil || s.Join("lobby") != nil {
				t.Errorf("in state %v", s.State())
			}
			if len(srv.SocketsIn("lobby")) != 0 || len(srv.Sockets()) != 0 {
				t.Error("a connecting socket is among the open ones")
			}
			if err := h.Open(func(s *Socket) error { return s.Send(s.Get("user")) }); err != nil {
				t.Error(err)
			}
			if h.Open(nil) == nil {
				t.Error("opened twice")
			}
		})
		peer := st.raw(t)
		peer.expect(wire.OpText, "queued")
		peer.expect(wire.OpText, "ann")
		if got := srv.SocketsIn("lobby"); len(got) != 1 {
			t.Errorf("%d sockets in the room", len(got))
		}
		h := peer.answer.Header
		if h.Get("Set-Cookie") != "id=7" || h.Get("Content-Type") != "" || h.Get("X-Evil") != "" {
			t.Errorf("answer has %v", h)
		}
	})
}

func TestCloseBeforeTheAnswerIsSentBehindIt(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{})
		st := n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
			h, _ := srv.Accept(w, r)
			s := h.Socket()
			s.Send("before")
			s.Close(4000, "no")
			if err := s.Send("after"); !errors.Is(err, ErrClosed) {
				t.Errorf("Send after Close: %v", err)
			}
			h.Open(nil)
		})
		peer := st.raw(t)
		peer.expect(wire.OpText, "before")
		peer.expectClose(4000)
	})
}

func TestQueueThatOverflowsBeforeTheAnswer(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{SendQueue: 1000})
		told := make(chan end, 1)
		st := n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
			h, _ := srv.Accept(w, r)
			s := h.Socket()
			s.OnClose(func(code StatusCode, reason string) { told <- end{code, reason} })
			for range 2 {
				s.SendBinary(make([]byte, 900))
			}
			h.Open(nil)
		})
		st.raw(t).expectClose(StatusTryAgainLater)
		if got := wait(t, told, "OnClose"); got.code != StatusTryAgainLater {
			t.Errorf("OnClose got %v", got)
		}
	})
}

func TestRefuseGivesThePlaceBack(t *testing.T) {
	srv := NewServer(Options{MaxConnections: 1})
	st := inMemory.accepting(t, srv, func(h *Handshake, w http.ResponseWriter, _ *http.Request) {
		s := h.Socket()
		s.Join("room")
		h.Refuse()
		h.Refuse()
		if h.Open(nil) == nil || s.State() != StateClosed {
			t.Errorf("a refused socket is %v", s.State())
		}
		<-s.Context().Done()
		w.WriteHeader(http.StatusTeapot)
	})
	for range 3 {
		if got := st.request(t, greeting()).answer.StatusCode; got != http.StatusTeapot {
			t.Errorf("answer is %d", got)
		}
	}
	if got := srv.Stats(); got.Connections != 0 || got.Rooms != 0 || got.TotalConnections != 0 {
		t.Errorf("stats are %+v", got)
	}
}

func TestConnectionThatCannotBeUpgraded(t *testing.T) {
	srv := NewServer(Options{MaxConnections: 1})
	for range 2 {
		r := httptest.NewRequest("GET", "/", nil)
		for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		refused := refusedBy(t, srv.Upgrade(w, r, nil))
		if refused.Status != 500 || w.Code != 500 || !errors.Is(refused, http.ErrNotSupported) {
			t.Errorf("answered %d, error %v", w.Code, refused)
		}
		r.ProtoMajor = 2
		if e := refusedBy(t, srv.Upgrade(httptest.NewRecorder(), r, nil)); e.Status != 426 {
			t.Errorf("HTTP/2 answered with %d", e.Status)
		}
	}
}

func TestWhatTheHandshakeTold(t *testing.T) {
	sockets := make(chan *Socket, 1)
	st := overTCP.serve(t, Options{}, func(s *Socket) error { sockets <- s; return nil })
	before := time.Now().Truncate(time.Millisecond)
	st.raw(t, "User-Agent: test/1", "Origin: http://server.example")
	s := wait(t, sockets, "the handler")
	if s.IP() != "127.0.0.1" || s.UserAgent() != "test/1" || s.Origin() != "http://server.example" || s.Path() != "/chat" {
		t.Errorf("got %q %q %q %q", s.IP(), s.UserAgent(), s.Origin(), s.Path())
	}
	if s.ConnectedAt().Before(before) || s.State() != StateOpen || st.srv.Socket(s.ID()) != s {
		t.Errorf("connected at %v, %v", s.ConnectedAt(), s.State())
	}
	for _, id := range []string{"", "x", s.ID() + "A", strings.ToLower(s.ID()) + "=", strings.Repeat("A", 22)} {
		if st.srv.Socket(id) != nil {
			t.Errorf("Socket(%q) is somebody", id)
		}
	}
}

func TestARefusedUpgradeIsLoggedWithItsReason(t *testing.T) {
	for name, c := range map[string]struct {
		opts    Options
		headers []string
		want    []string
	}{
		"origin": {Options{}, []string{"Origin: http://localhost:5173"}, []string{
			"level=WARN", "status=403", `http://localhost:5173`, "AllowOrigins", "TrustedOrigins", "TrustedProxies", "path=/"}},
		"limit":  {Options{MaxConnections: 1}, nil, []string{"level=WARN", "status=503", "too many connections"}},
		"client": {Options{VerifyClient: func(*http.Request) error { return errors.New("no ticket") }}, nil, []string{"status=403", "no ticket"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			c.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			srv := NewServer(c.opts)
			srv.admitted = c.opts.MaxConnections
			r := httptest.NewRequest("GET", "/", nil)
			for _, h := range append(c.headers, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") {
				k, v, _ := strings.Cut(h, ": ")
				r.Header.Set(k, v)
			}
			for range 1000 {
				refusedBy(t, srv.Upgrade(httptest.NewRecorder(), r, nil))
			}
			for _, want := range c.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%s is missing in %s", want, log.String())
				}
			}
			if n := strings.Count(log.String(), "\n"); n > 10 {
				t.Errorf("%d lines for 1,000 refusals", n)
			}
		})
	}
}

// Whoever opens the address in a browser fills no log.
func TestAPlainGetIsNotLoggedAsARefusal(t *testing.T) {
	var log bytes.Buffer
	srv := NewServer(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	refusedBy(t, srv.Upgrade(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), nil))
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

func TestDebugShowsWithTheDefaultLevel(t *testing.T) {
	var log lockedBuffer
	st := inMemory.serve(t, Options{Debug: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}, echo)
	st.raw(t).alive()
	if !strings.Contains(log.String(), "websocket open") {
		t.Errorf("logged %q", log.String())
	}
}

// lockedBuffer is what several goroutines write to.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
