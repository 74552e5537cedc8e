package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// forgetful is an engine that can send, and keeps nothing until it is able to.
type forgetful struct {
	broker.Broker
	mu   sync.Mutex // guards the fields below
	able bool
	sent []string // bodies of messages
	more chan struct{}
}

func (f *forgetful) Publish(_ context.Context, batch []broker.Envelope) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.able && slices.ContainsFunc(batch, func(e broker.Envelope) bool { return e.Keep != broker.Retention{} }) {
		return errors.New("there is no leader")
	}
	for _, e := range batch {
		p, err := Parse(e.Body)
		if err != nil {
			return err
		}
		f.sent = append(f.sent, fmt.Sprint(string(p.Text), " to ", e.Room, " ", e.Seq&countMask))
	}
	f.more <- struct{}{}
	return nil
}

func (f *forgetful) setAble() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.able = true
}

// await waits until as much is sent, and returns it.
func (f *forgetful) await(t *testing.T, n int) []string {
	t.Helper()
	over := time.After(30 * time.Second)
	for {
		f.mu.Lock()
		sent := slices.Clone(f.sent)
		f.mu.Unlock()
		if len(sent) >= n {
			return sent
		}
		select {
		case <-f.more:
		case <-over:
			t.Fatalf("%q is sent, want %d", sent, n)
		}
	}
}

// While nothing can be kept, what goes to other rooms is sent. What goes to the same room
// comes after what was said there before.
func TestWhatCannotBeKeptHoldsUpItsRoomAlone(t *testing.T) { synctest.Test(t, holdUp) }

func holdUp(t *testing.T) {
	f := &forgetful{more: make(chan struct{}, 100)}
	n := &Node{began: time.Now(), broker: f}
	n.ctx, n.stop = context.WithCancel(t.Context())
	n.logger = slog.New(slog.DiscardHandler)
	o := newOutbox(n)
	o.setUp(true)
	keep := broker.Retention{Messages: 10}
	say := func(room, text string, keep broker.Retention) {
		if err := o.put(letter{parcel: &Parcel{Kind: Message, Room: room, Text: []byte(text), Keep: keep}}); err != nil {
			t.Error(err)
		}
	}
	say("kept", "1", keep)
	say("kept", "2", broker.Retention{})
	say("kept", "3", keep)
	say("plain", "4", broker.Retention{})
	done := make(chan struct{})
	go func() { o.run(n.ctx); close(done) }()
	if sent, want := f.await(t, 1), []string{"4 to " + RoomKey("", "plain") + " 1"}; !slices.Equal(sent, want) {
		t.Errorf("%q is sent, want %q", sent, want)
	}
	say("plain", "5", broker.Retention{})
	f.await(t, 2)
	f.setAble()
	kept := RoomKey("", "kept")
	if sent, want := f.await(t, 5)[2:], []string{"1 to " + kept + " 1", "2 to " + kept + " 1", "3 to " + kept + " 2"}; !slices.Equal(sent, want) {
		t.Errorf("then %q, want %q", sent, want)
	}
	o.close()
	<-done
	if len(o.held) != 0 || o.bytes != 0 || o.kept != 0 {
		t.Errorf("%v, %d and %d bytes are left", o.held, o.bytes, o.kept)
	}
}

// Who waits is told, of what was dropped as well.
func TestAReceiptTellsWhatBecomesOfItsParcels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forgetful{more: make(chan struct{}, 100)}
		n := &Node{began: time.Now(), broker: f, sent: make(chan struct{}), logger: slog.New(slog.DiscardHandler)}
		n.ctx, n.stop = context.WithCancel(t.Context())
		n.outbox = newOutbox(n)
		n.outbox.setUp(true)
		go func() { n.outbox.run(n.ctx); close(n.sent) }()
		say := func(keeps ...broker.Retention) error {
			r := NewReceipt()
			for _, keep := range keeps {
				if err := n.Publish(&Parcel{Kind: Message, Room: "room", Text: []byte("hi"), Keep: keep}, r); err != nil {
					t.Error(err)
				}
			}
			return n.Wait(t.Context(), r)
		}
		plain, keep := broker.Retention{}, broker.Retention{Messages: 10}
		if err := say(); err != nil {
			t.Errorf("nothing: %v", err)
		}
		if err := say(plain, plain); err != nil {
			t.Errorf("what is not kept: %v", err)
		}
		began := time.Now()
		if err := say(keep, keep); !errors.Is(err, ErrDown) || time.Since(began) < keptPatience {
			t.Errorf("what could not be kept: %v after %v", err, time.Since(began))
		}
		f.setAble()
		if err := say(keep, plain); err != nil {
			t.Errorf("what is kept: %v", err)
		}
		n.outbox.close()
		<-n.sent
	})
}
