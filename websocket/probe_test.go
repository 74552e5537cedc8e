package websocket

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"testing"
)

// probing is the request of a page that asks why its WebSocket was refused.
func probing(lines string) string {
	return "GET /chat?reconnect=1 HTTP/1.1\r\nHost: server.example\r\nAccept: application/problem+json\r\nNextRush-Probe: 1\r\n" + lines + "\r\n"
}

func TestAProbeIsAnsweredAsAnUpgradeWouldBe(t *testing.T) {
	full := Options{MaxConnections: 1, Logger: quiet}
	for _, test := range []struct {
		name   string
		opts   Options
		lines  string
		status int
		first  bool // a socket is open already
	}{
		{"taken", Options{}, "", http.StatusUpgradeRequired, false},
		{"an origin that is not allowed", Options{}, "Origin: https://evil.example\r\n", http.StatusForbidden, false},
		{"full", full, "", http.StatusServiceUnavailable, true},
		{"full for the address", Options{MaxConnectionsPerIP: 1}, "", http.StatusTooManyRequests, true},
		{"not full", full, "", http.StatusUpgradeRequired, false},
		{"refused by the program", Options{VerifyClient: func(*http.Request) error {
			return &HandshakeError{Status: http.StatusPaymentRequired}
		}}, "", http.StatusPaymentRequired, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := overTCP.serve(t, test.opts, echo)
			if test.first {
				st.raw(t)
			}
			before := counted(st.srv)
			for range 3 {
				c := st.request(t, probing(test.lines))
				if c.answer.StatusCode != test.status {
					t.Errorf("status is %s", c.answer.Status)
				}
				if (test.status == 503 || test.status == 429) != (c.answer.Header.Get("Retry-After") != "") {
					t.Errorf("Retry-After is %q", c.answer.Header.Get("Retry-After"))
				}
			}
			after := counted(st.srv)
			if _, _, n := st.srv.users.Count(); n != int(after.Connections) {
				t.Errorf("%d sockets belong to nobody", n)
			}
			if !reflect.DeepEqual(before, after) {
				t.Errorf("a probe was counted: %+v\nbefore: %+v", after, before)
			}
		})
	}
}

// counted is what an upgrade that is taken, or refused, is counted in.
func counted(srv *Server) Stats {
	s := srv.Stats()
	return Stats{
		Connections: s.Connections, TotalConnections: s.TotalConnections, PeakConnections: s.PeakConnections, Rooms: s.Rooms,
		Reconnections: s.Reconnections, Rejected: s.Rejected, Closes: s.Closes, Errors: s.Errors,
	}
}

func TestAProbeLeavesNothingBehind(t *testing.T) {
	srv := NewServer(Options{MaxConnectionsPerIP: 1})
	closed := make(chan StatusCode, 1)
	st := overTCP.accepting(t, srv, func(h *Handshake, w http.ResponseWriter, _ *http.Request) {
		s := h.Socket()
		s.Join("room")
		s.Set("key", 1)
		s.SendText("hello")
		s.OnClose(func(code StatusCode, _ string) { closed <- code })
		err := h.Open(func(*Socket) error { t.Error("the handler of a probe ran"); return nil })
		refused := refusedBy(t, err)
		maps.Copy(w.Header(), refused.Header)
		http.Error(w, refused.Message, refused.Status)
	})
	if c := st.request(t, probing("")); c.answer.StatusCode != http.StatusUpgradeRequired || c.answer.Header.Get("Upgrade") != "websocket" {
		t.Errorf("answer is %v", c.answer)
	}
	if code := wait(t, closed, "OnClose"); code != StatusAbnormalClosure {
		t.Errorf("closed with %d", code)
	}
	_, _, anonymous := srv.users.Count()
	if s := srv.Stats(); len(srv.Rooms()) != 0 || s.TotalConnections != 0 || len(srv.byIP) != 0 || srv.admitted != 0 || anonymous != 0 {
		t.Errorf("left behind: %v, %+v, %v, %d, %d", srv.Rooms(), s, srv.byIP, srv.admitted, anonymous)
	}
}

func TestAnUpgradeIsNoProbe(t *testing.T) {
	st := overTCP.serve(t, Options{}, echo)
	c := st.raw(t, "NextRush-Probe: 1")
	c.alive()
}

// While the program looks at probes they hold places of their address: else one address
// could have it look at any number.
func TestAProbeHoldsAPlaceUntilItIsAnswered(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	srv := NewServer(Options{MaxConnectionsPerIP: 2, Logger: quiet})
	st := overTCP.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(w, r)
		if err == nil {
			entered <- true
			<-release
		}
		openOrAnswer(w, h, err, nil)
	})
	answers := make(chan int)
	for range 2 {
		c := st.connect(t)
		go func() {
			c.ask(probing(""))
			answers <- c.answer.StatusCode
		}()
		wait(t, entered, "the probe")
	}
	if c := st.request(t, probing("")); c.answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third is answered with %s", c.answer.Status)
	}
	close(release)
	for range 2 {
		if status := wait(t, answers, "the answer"); status != http.StatusUpgradeRequired {
			t.Errorf("status is %d", status)
		}
	}
	if _, _, anonymous := srv.users.Count(); srv.admitted != 0 || len(srv.byIP) != 0 || anonymous != 0 {
		t.Errorf("left behind: %d, %v, %d", srv.admitted, srv.byIP, anonymous)
	}
}

func TestAProbeWhoseVerificationEndsTheGoroutine(t *testing.T) {
	srv := NewServer(Options{VerifyClient: func(*http.Request) error { runtime.Goexit(); return nil }, Logger: quiet})
	for range 3 {
		done := make(chan bool)
		go func() {
			defer close(done)
			r := httptest.NewRequest("GET", "/chat", nil)
			r.Header.Set("NextRush-Probe", "1")
			srv.Accept(httptest.NewRecorder(), r)
		}()
		<-done
	}
	if _, _, anonymous := srv.users.Count(); srv.admitted != 0 || anonymous != 0 {
		t.Errorf("left behind: %d, %d", srv.admitted, anonymous)
	}
}
