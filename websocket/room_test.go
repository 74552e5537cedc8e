package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRoomsKeepTheirLimitsAndVanish(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, _, s, _ := meet(t, n, Options{MaxRooms: 3, MaxRoomsPerSocket: 2})
		for _, name := range []string{"", strings.Repeat("r", 257)} {
			if err := s.Join(name); !errors.Is(err, ErrRoomName) {
				t.Errorf("Join of %d bytes: %v", len(name), err)
			}
		}
		for _, name := range []string{"a", "a", strings.Repeat("r", 256)} {
			if err := s.Join(name); err != nil {
				t.Errorf("Join of %d bytes: %v", len(name), err)
			}
		}
		if err := s.Join("c"); !errors.Is(err, ErrRoomLimit) {
			t.Errorf("third room: %v", err)
		}
		s.Leave("a")
		s.Leave("nowhere")
		if got := st.srv.Rooms(); len(got) != 1 || len(s.Rooms()) != 1 {
			t.Errorf("rooms are %.20q", got)
		}
		s.LeaveAll()
		if got := st.srv.Stats().Rooms; got != 0 {
			t.Errorf("%d rooms are left", got)
		}
	})
}

func TestReceiveSurvivesTheEndOfItsContext(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Receive(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		peer.write(client("1 000 0001", "later"))
		if m := receive(t, s); m.Text() != "later" {
			t.Errorf("got %q", m.Text())
		}
	})
}

func TestRateLimitEndsWith1008(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, Options{RateLimit: RateLimit{Messages: 1, Burst: 3}}, echo).raw(t)
		for range 3 {
			peer.write(client("1 000 0001", "x"))
			peer.expect(1, "x")
		}
		peer.write(client("1 000 0001", "x"))
		peer.expectClose(StatusPolicyViolation)
	})
}

func TestShutdownRefusesNewcomersAndAwaitsHandlers(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		release := make(chan struct{})
		st := n.serve(t, Options{CloseTimeout: 100 * time.Millisecond}, func(s *Socket) error {
			<-s.Context().Done()
			<-release
			return nil
		})
		peer := st.raw(t)
		done := make(chan error, 1)
		go func() { done <- st.srv.Shutdown(t.Context()) }()
		go peer.expectClose(StatusGoingAway)
		eventually(t, "the refusal of newcomers", func() bool {
			return st.request(t, greeting()).answer.StatusCode == http.StatusServiceUnavailable
		})
		select {
		case <-done:
			t.Error("Shutdown did not wait for the handler")
		default:
		}
		close(release)
		if err := wait(t, done, "the end of Shutdown"); err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownCutsAndCountsAtItsDeadline(t *testing.T) {
	st, _, _, told := meet(t, inMemory, Options{CloseTimeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := st.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	wait(t, told, "OnClose")
	if got := st.srv.Stats().Forced; got != 1 {
		t.Errorf("%d were forced", got)
	}
}

func TestEvents(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		opts := Options{Logger: quiet, Validate: func(v any) error {
			if v, ok := v.(*int); ok && *v < 0 {
				return &EventError{Message: "must not be negative"}
			}
			return nil
		}}
		st := n.serve(t, opts, func(s *Socket) error {
			Handle(s, "double", func(_ context.Context, _ *Socket, in int) (int, error) { return 2 * in, nil })
			Handle(s, "fail", func(context.Context, *Socket, int) (int, error) { return 0, errors.New("secret") })
			return nil
		})
		peer := st.raw(t)
		for _, c := range []struct{ send, kind, message, data string }{
			{`{"type":"event","event":"double","id":1,"data":[4]}`, "ack", "", "[8]"},
			{`{"type":"event","event":"double","id":"x","data":[-4]}`, "error", "must not be negative", ""},
			{`{"type":"event","event":"fail","id":2,"data":[4]}`, "error", "internal error", ""},
			{`{"type":"event","event":"nobody","id":3}`, "error", "unknown event", ""},
			{`{"type":"event","event":7,"id":4}`, "error", "event must be a name", ""},
		} {
			peer.write(client("1 000 0001", c.send))
			f, ok := peer.next()
			var got struct {
				Type, Message string
				Data          json.RawMessage
			}
			if !ok || json.Unmarshal(f.payload, &got) != nil || got.Type != c.kind || got.Message != c.message || string(got.Data) != c.data {
				t.Errorf("%s was answered with %s", c.send, f.payload)
			}
		}
	})
}
