package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// dial opens a client socket to the site, whatever its transport.
func (st *site) dial(t testing.TB, opts DialOptions) *Socket {
	t.Helper()
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return st.conn() }
	s, err := Dial(t.Context(), "ws://server.example/chat", &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(StatusNormalClosure, "") })
	return s
}

// dialScript dials a server that answers the handshake with what script makes
// of the request, and returns the server's end.
func dialScript(t testing.TB, opts DialOptions, script func(*http.Request) string) (*Socket, *raw, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
	peer := &raw{t: t, conn: theirs, reader: bufio.NewReader(theirs)}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if r, err := http.ReadRequest(peer.reader); err == nil {
			io.WriteString(theirs, script(r))
		}
	}()
	s, err := Dial(t.Context(), "ws://server.example/chat?a=b", &opts)
	if err == nil {
		<-answered
		t.Cleanup(func() { s.Close(StatusNormalClosure, "") })
	}
	return s, peer, err
}

// switching is a right answer with further header lines.
func switching(r *http.Request, lines ...string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + wire.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n" +
		strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

func TestDialRefusesAnswersThatAreNoUpgrade(t *testing.T) {
	plain := func(text string) func(*http.Request) string { return func(*http.Request) string { return text } }
	edited := func(old, new string) func(*http.Request) string {
		return func(r *http.Request) string {
			text := switching(r)
			if !strings.Contains(text, old) {
				panic(old)
			}
			return strings.Replace(text, old, new, 1)
		}
	}
	with := func(lines ...string) func(*http.Request) string {
		return func(r *http.Request) string { return switching(r, lines...) }
	}
	chat := DialOptions{Protocols: []string{"chat", "superchat"}}
	compressing := DialOptions{Options: Options{Compression: Compression{Enabled: true}}}
	for _, c := range []struct {
		name   string
		opts   DialOptions
		answer func(*http.Request) string
		status int
	}{
		{"401", DialOptions{}, plain("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), 401},
		{"200", DialOptions{}, plain("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), 200},
		{"redirect is not followed", DialOptions{}, plain("HTTP/1.1 302 Found\r\nLocation: ws://other.example/\r\nContent-Length: 0\r\n\r\n"), 302},
		{"4.1 no Upgrade", DialOptions{}, edited("Upgrade: websocket\r\n", ""), 101},
		{"4.1 other Upgrade", DialOptions{}, edited("Upgrade: websocket", "Upgrade: h2c"), 101},
		{"4.1 no Connection", DialOptions{}, edited("Connection: Upgrade\r\n", ""), 101},
		{"4.1 other Connection", DialOptions{}, edited("Connection: Upgrade", "Connection: close"), 101},
		{"4.1 no Sec-WebSocket-Accept", DialOptions{}, edited("Sec-WebSocket-Accept: ", "X-Accept: "), 101},
		{"4.1 Sec-WebSocket-Accept of another key", DialOptions{}, edited("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Accept: "), 101},
		{"4.1 the key itself", DialOptions{}, func(r *http.Request) string {
			return edited("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: "+r.Header.Get("Sec-WebSocket-Key")+"\r\nX: ")(r)
		}, 101},
		{"4.1 subprotocol where none was offered", DialOptions{}, with("Sec-WebSocket-Protocol: chat"), 101},
		{"4.1 subprotocol that was not offered", chat, with("Sec-WebSocket-Protocol: other"), 101},
		{"4.1 subprotocol in another case", chat, with("Sec-WebSocket-Protocol: Chat"), 101},
		{"4.1 a list of subprotocols", chat, with("Sec-WebSocket-Protocol: chat, superchat"), 101},
		{"4.1 two subprotocols", chat, with("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"), 101},
		{"4.1 extension where none was offered", DialOptions{}, with(offer + "permessage-deflate; server_no_context_takeover"), 101},
		{"4.1 extension that was not offered", compressing, with(offer + "x-webkit-deflate-frame"), 101},
		{"RFC 7692 7.1 unknown parameter", compressing, with(offer + "permessage-deflate; level=9"), 101},
		{"RFC 7692 7.1 window out of range", compressing, with(offer + "permessage-deflate; server_max_window_bits=16"), 101},
		{"RFC 7692 5.1 twice", compressing, with(offer + "permessage-deflate, permessage-deflate"), 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, peer, err := dialScript(t, c.opts, c.answer)
			if e := refusedBy(t, err); e.Status != c.status || e.Message == "" {
				t.Errorf("refusal is %d %q", e.Status, e.Message)
			}
			if s != nil {
				t.Error("there is a socket besides the error")
			}
			if _, err := peer.reader.ReadByte(); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

func TestDialHandsOutTheRefusal(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, strings.Repeat("x", 5000))
	}))
	defer ts.Close()
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http"), nil)
	e := refusedBy(t, err)
	if e.Status != 503 || e.Header.Get("Retry-After") != "7" || len(e.Body) != 4<<10 {
		t.Errorf("status %d, header %v, %d bytes of body", e.Status, e.Header, len(e.Body))
	}
}

func TestDialDoesNotFollowRedirects(t *testing.T) {
	asked := 0
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer ts.Close()
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http"), nil)
	if e := refusedBy(t, err); e.Status != http.StatusFound || e.Header.Get("Location") != "/elsewhere" {
		t.Errorf("refusal is %d to %q", e.Status, e.Header.Get("Location"))
	}
	if asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
}

// What is no HTTP at all is an error, and none that speaks of a refusal.
func TestDialWithoutAnAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":          "",
		"half a line":      "HTTP/1.1 1",
		"half the header":  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web",
		"another protocol": "SSH-2.0-OpenSSH_9.7\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				go func() {
					http.ReadRequest(bufio.NewReader(theirs))
					io.WriteString(theirs, answer)
					theirs.Close()
				}()
				_, err := Dial(t.Context(), "ws://server.example/", &DialOptions{
					NetDial: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
				})
				var refused *HandshakeError
				if err == nil || errors.As(err, &refused) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

func TestDialIsBoundedInTime(t *testing.T) {
	soon := func(t *testing.T) (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), time.Second)
	}
	for _, c := range []struct {
		name    string
		ctx     func(*testing.T) (context.Context, context.CancelFunc)
		timeout time.Duration // HandshakeTimeout
		after   time.Duration
	}{
		{"by its context", soon, 0, time.Second},
		{"by its context alone", soon, -1, time.Second},
		{"by HandshakeTimeout", func(t *testing.T) (context.Context, context.CancelFunc) { return t.Context(), func() {} }, 3 * time.Second, 3 * time.Second},
		{"by the default", func(t *testing.T) (context.Context, context.CancelFunc) { return t.Context(), func() {} }, 0, defaultHandshake},
	} {
		for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
			"in the transport": func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
			"sending the request": func(context.Context, string, string) (net.Conn, error) {
				ours, _ := net.Pipe()
				return ours, nil
			},
			"awaiting the answer": func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go io.Copy(io.Discard, theirs)
				return ours, nil
			},
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := c.ctx(t)
					defer cancel()
					start := time.Now()
					_, err := Dial(ctx, "ws://server.example/", &DialOptions{NetDial: dial, Options: Options{HandshakeTimeout: c.timeout}})
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error is %v", err)
					}
					if d := time.Since(start); d != c.after {
						t.Errorf("ended after %v, want %v", d, c.after)
					}
				})
			})
		}
	}
}

func TestDialOutlivesItsContext(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, echo)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Dial(ctx, "ws://server.example/", &DialOptions{
			NetDial: func(context.Context, string, string) (net.Conn, error) { return st.conn() },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(StatusNormalClosure, "")
		cancel()
		s.Send("still there?")
		if m := receive(t, s); m.Text() != "still there?" {
			t.Errorf("got %q", m.Text())
		}
	})
}

func TestDialRefusesURLs(t *testing.T) {
	never := func(context.Context, string, string) (net.Conn, error) {
		t.Error("it dialed")
		return nil, net.ErrClosed
	}
	for _, u := range []string{"", "/chat", "ftp://a.example/", "ws:///chat", "ws://a.example/#fragment", "ws://a.example:port/", "ws://[::1/", "ws://a\x7fb/"} {
		if s, err := Dial(t.Context(), u, &DialOptions{NetDial: never}); err == nil || s != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
}

func TestDialAddressesAndDefaultPorts(t *testing.T) {
	gone := errors.New("gone")
	for u, want := range map[string]string{
		"ws://a.example/":      "a.example:80",
		"wss://a.example":      "a.example:443",
		"ws://a.example:8080/": "a.example:8080",
		"ws://[::1]/":          "[::1]:80",
		"wss://[::1]:8443/":    "[::1]:8443",
		"https://a.example/":   "a.example:443",
	} {
		_, err := Dial(t.Context(), u, &DialOptions{NetDial: func(_ context.Context, network, address string) (net.Conn, error) {
			if network != "tcp" || address != want {
				t.Errorf("%s: dialed %s %s, want %s", u, network, address, want)
			}
			return nil, gone
		}})
		if !errors.Is(err, gone) {
			t.Errorf("%s: error is %v", u, err)
		}
	}
}

func TestDialRequest(t *testing.T) {
	keys := map[string]bool{}
	for range 10 {
		header := http.Header{"Cookie": {"a=b"}, "Origin": {"https://a.example"}, "Sec-Websocket-Version": {"8"}}
		_, _, err := dialScript(t, DialOptions{Header: header, Protocols: []string{"b", "a"}}, func(r *http.Request) string {
			h := r.Header
			key := h.Get("Sec-WebSocket-Key")
			keys[key] = true
			switch {
			case r.Method != "GET" || r.Proto != "HTTP/1.1" || r.RequestURI != "/chat?a=b" || r.Host != "server.example":
				t.Errorf("request is %s %s %s to %s", r.Method, r.RequestURI, r.Proto, r.Host)
			case h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" || h.Get("Sec-WebSocket-Version") != "13" || !wire.ValidKey(key):
				t.Errorf("handshake is %v", h)
			case h.Get("Cookie") != "a=b" || h.Get("Origin") != "https://a.example" || h.Get("Sec-WebSocket-Protocol") != "b, a":
				t.Errorf("header is %v", h)
			case len(h["Sec-Websocket-Extensions"]) > 0:
				t.Errorf("extensions are offered: %v", h)
			}
			return switching(r)
		})
		if err != nil {
			t.Fatal(err)
		}
		if header.Get("Upgrade") != "" || header.Get("Sec-WebSocket-Version") != "8" {
			t.Fatal("Dial wrote to the caller's header")
		}
	}
	if len(keys) != 10 {
		t.Errorf("%d different keys in 10 requests (RFC 6455 4.1)", len(keys))
	}
}

func TestDialSendsTheCredentialsOfTheURL(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		http.Error(w, user+" "+password, http.StatusTeapot)
	}))
	defer ts.Close()
	_, err := Dial(t.Context(), strings.Replace(ts.URL, "http://", "ws://me:s%3Acret@", 1), nil)
	if e := refusedBy(t, err); strings.TrimSpace(string(e.Body)) != "me s:cret" {
		t.Errorf("the server saw %q", e.Body)
	}
}

func TestDialSubprotocols(t *testing.T) {
	for _, c := range []struct {
		name           string
		server, client []string
		want           string
	}{
		{"the server's preference decides", []string{"b", "a"}, []string{"a", "b"}, "b"},
		{"none in common", []string{"c"}, []string{"a", "b"}, ""},
		{"none offered", []string{"c"}, nil, ""},
		{"none served", nil, []string{"a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				served := make(chan string, 1)
				st := n.serve(t, Options{Protocols: c.server}, func(s *Socket) error { served <- s.Protocol(); return nil })
				s := st.dial(t, DialOptions{Protocols: c.client})
				if got := wait(t, served, "the handler"); got != c.want || s.Protocol() != c.want {
					t.Errorf("server speaks %q, client %q, want %q", got, s.Protocol(), c.want)
				}
			})
		})
	}
}

// tlsServer serves echoes over TLS, and gives a configuration that trusts it.
func tlsServer(t *testing.T, opts Options) (url string, trusting *tls.Config) {
	srv := NewServer(opts)
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { srv.Upgrade(w, r, echo) }))
	ts.EnableHTTP2 = true // Dial must not be lured into it
	ts.Config.ErrorLog = log.New(io.Discard, "", 0)
	ts.StartTLS()
	t.Cleanup(func() {
		ts.Close()
		srv.Close()
	})
	roots := x509.NewCertPool()
	roots.AddCert(ts.Certificate())
	return "wss" + strings.TrimPrefix(ts.URL, "https"), &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}
}

func TestDialOverTLS(t *testing.T) {
	for name, portable := range map[string]bool{"polling": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			url, trusting := tlsServer(t, Options{DisablePolling: portable, MaxMessageSize: 4 << 20})
			told := make(chan end, 1)
			s := dial(t, url, &DialOptions{TLSConfig: trusting, Options: Options{MaxMessageSize: 4 << 20, SendQueue: 8 << 20}, Handler: func(s *Socket) error {
				s.OnClose(func(code StatusCode, reason string) { told <- end{code, reason} })
				return nil
			}})
			for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 3 << 20} {
				data := strings.Repeat("abcdefgh", size/8+1)[:size]
				s.SendText(data)
				if m := receive(t, s); m.Text() != data {
					t.Errorf("%d bytes came back as %d", size, len(m.Bytes()))
				}
			}
			s.Close(StatusNormalClosure, "done")
			if got := wait(t, told, "OnClose"); got != (end{StatusNormalClosure, "done"}) {
				t.Errorf("OnClose got %v", got)
			}
			if trusting.ServerName != "" || len(trusting.NextProtos) != 2 {
				t.Error("Dial wrote to the caller's configuration")
			}
		})
	}
}

func TestDialChecksTheCertificate(t *testing.T) {
	url, trusting := tlsServer(t, Options{})
	wrongName := trusting.Clone()
	wrongName.ServerName = "other.example"
	for name, config := range map[string]*tls.Config{"unknown authority": nil, "wrong name": wrongName} {
		_, err := Dial(t.Context(), url, &DialOptions{TLSConfig: config})
		var e *tls.CertificateVerificationError
		if !errors.As(err, &e) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestDialTakesFramesBehindTheAnswer(t *testing.T) {
	frames := string(unmasked("1 000 0001", "one")) + string(unmasked("0 000 0001", "t")) + string(unmasked("1 000 0000", "wo"))
	s, _, err := dialScript(t, DialOptions{}, func(r *http.Request) string { return switching(r) + frames })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if m := receive(t, s); m.Text() != want {
			t.Errorf("got %q, want %q", m.Text(), want)
		}
	}
}

func TestClientMasksEveryFrameWithAKeyOfItsOwn(t *testing.T) {
	s, peer, err := dialScript(t, DialOptions{}, func(r *http.Request) string { return switching(r) })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range 20 {
			s.SendText(fmt.Sprint("text ", i))
		}
		s.Ping([]byte("ping"))
		s.Close(StatusNormalClosure, "")
	}()
	keys := map[[4]byte]bool{}
	for i := range 22 {
		f, err := readFrame(peer.reader)
		if err != nil || !f.Masked {
			t.Fatalf("frame %d: masked is %t, error %v (RFC 6455 5.3)", i, f.Masked, err)
		}
		if i < 20 && string(f.payload) != fmt.Sprint("text ", i) {
			t.Errorf("frame %d is %q", i, f.payload)
		}
		keys[f.Mask] = true
	}
	if len(keys) < 22 {
		t.Errorf("%d keys for 22 frames", len(keys))
	}
}

func TestClientEndsWithAServerThatBreaksTheRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		code  StatusCode
	}{
		{"5.1 masked frame", client("1 000 0001", "x"), 1002},
		{"5.2 reserved opcode", unmasked("1 000 0011", "x"), 1002},
		{"5.2 RSV1 without an extension", unmasked("1 100 0001", "x"), 1002},
		{"5.5 fragmented ping", unmasked("0 000 1001", "x"), 1002},
		{"8.1 text that is not UTF-8", unmasked("1 000 0001", "\xff"), 1007},
		{"message beyond the limit", unmasked("1 000 0001", strings.Repeat("x", 1001)), 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := make(chan end, 1)
			opts := DialOptions{Options: Options{MaxMessageSize: 1000}, Handler: func(s *Socket) error {
				s.OnClose(func(code StatusCode, reason string) { told <- end{code, reason} })
				return nil
			}}
			_, peer, err := dialScript(t, opts, func(r *http.Request) string { return switching(r) })
			if err != nil {
				t.Fatal(err)
			}
			go peer.write(c.frame)
			f, err := readFrame(peer.reader)
			if err != nil || f.Op != wire.OpClose || string(f.payload[:2]) != closePayload(int(c.code), "") {
				t.Errorf("answer is opcode %d %q, %v", f.Op, f.payload, err)
			}
			if got := wait(t, told, "OnClose"); got.code != c.code {
				t.Errorf("OnClose got %v, want %d", got, c.code)
			}
		})
	}
}

func TestClientAnswersPingsAndCloses(t *testing.T) {
	_, peer, err := dialScript(t, DialOptions{}, func(r *http.Request) string { return switching(r) })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		send []byte
		op   wire.Opcode
		want string
	}{
		{unmasked("1 000 1001", "are you there?"), wire.OpPong, "are you there?"},
		{unmasked("1 000 1000", closePayload(4001, "bye")), wire.OpClose, closePayload(4001, "")},
	} {
		go peer.write(c.send)
		if f, err := readFrame(peer.reader); err != nil || f.Op != c.op || string(f.payload) != c.want {
			t.Errorf("answer is opcode %d %q, %v", f.Op, f.payload, err)
		}
	}
}

func TestDialHandler(t *testing.T) {
	t.Run("sees the first message", func(t *testing.T) {
		got := make(chan string, 1)
		_, _, err := dialScript(t, DialOptions{Handler: func(s *Socket) error {
			s.OnMessage(func(m Message) { got <- m.Text() })
			return nil
		}}, func(r *http.Request) string { return switching(r) + string(unmasked("1 000 0001", "first")) })
		if err != nil {
			t.Fatal(err)
		}
		if text := wait(t, got, "OnMessage"); text != "first" {
			t.Errorf("got %q", text)
		}
	})
	t.Run("its error ends the dialing", func(t *testing.T) {
		no := errors.New("no")
		s, peer, err := dialScript(t, DialOptions{Options: Options{Logger: quiet}, Handler: func(*Socket) error { return no }},
			func(r *http.Request) string { return switching(r) })
		if !errors.Is(err, no) || s != nil {
			t.Errorf("socket %v, error %v", s, err)
		}
		io.Copy(io.Discard, peer.reader) // ends
	})
}
