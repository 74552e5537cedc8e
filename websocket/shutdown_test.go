package websocket

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestShutdownSendsClientsElsewhereFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{}, nil)
		c, leaver, plain := st.raw(t, speaking), st.raw(t, speaking), st.raw(t)
		c.hello()
		leaver.hello()
		began := time.Now()
		down := make(chan error, 1)
		go func() { down <- st.srv.Shutdown(context.Background()) }()
		for _, told := range []*raw{c, leaver} {
			told.expect(wire.OpText, `{"type":"goaway","retry":true,"after":[0,1000],"reason":"shutdown"}`)
		}
		if reason := plain.expectClose(StatusGoingAway); reason != "server is shutting down retry=0-1000" {
			t.Errorf("the reason for a plain client is %q", reason)
		}
		if after := time.Since(began); after > time.Second {
			t.Errorf("the plain client was closed after %v", after)
		}
		leaver.write(client("1 000 1000", closePayload(1000, "")))
		if leaver.expectClose(StatusNormalClosure); time.Since(began) > time.Second {
			t.Error("who leaves by itself had to wait")
		}
		if reason := c.expectClose(StatusGoingAway); reason != "server is shutting down retry=0-1000" {
			t.Errorf("the reason is %q", reason)
		}
		if after := time.Since(began); after != 2*time.Second {
			t.Errorf("closed after %v, want 2 s", after)
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
		st.settle(c, leaver, plain)
	})
}

func TestADismissedClientIsToldNotToComeBack(t *testing.T) {
	st := overTCP.serve(t, Options{}, func(s *Socket) error { return s.Dismiss(StatusNormalClosure, "the game is over") })
	c, plain := st.raw(t, speaking), st.raw(t)
	c.hello()
	c.hear(`{"type":"goaway","retry":false,"reason":"the game is over"}`)
	for _, peer := range []*raw{c, plain} {
		if reason := peer.expectClose(StatusNormalClosure); reason != "the game is over" {
			t.Errorf("the reason is %q", reason)
		}
	}
}

func TestShutdownDoesNotWaitForClientsThatHaveGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{DrainWindow: time.Hour}, nil)
		c := st.raw(t, speaking)
		c.hello()
		began := time.Now()
		down := make(chan error, 1)
		go func() { down <- st.srv.Shutdown(context.Background()) }()
		c.expect(wire.OpText, `{"type":"goaway","retry":true,"after":[0,1800000],"reason":"shutdown"}`)
		c.write(client("1 000 1000", closePayload(1000, "")))
		c.expectClose(StatusNormalClosure)
		if <-down; time.Since(began) > time.Second {
			t.Errorf("it took %v", time.Since(began))
		}
		st.settle(c)
	})
}

func TestShutdownLeavesTimeForTheClosesBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{}, nil)
		c := st.raw(t, speaking)
		c.hello()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		down := make(chan error, 1)
		go func() { down <- st.srv.Shutdown(ctx) }()
		c.expect(wire.OpText, `{"type":"goaway","retry":true,"after":[0,250],"reason":"shutdown"}`)
		c.expectClose(StatusGoingAway)
		if err := <-down; err != nil {
			t.Error(err)
		}
		st.settle(c)
	})
}
