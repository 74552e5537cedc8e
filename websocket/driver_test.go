//go:build linux

package websocket

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestIdleSocketsHoldNoGoroutine(t *testing.T) {
	kept := network{"kept by the server", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
		l, dial := listenTCP(t)
		return keeper{l}, dial
	}}
	for _, n := range []network{overTCP, overTLS, kept} {
		t.Run(n.name, func(t *testing.T) {
			st := n.serve(t, Options{}, echo)
			const sockets = 50
			for range sockets {
				peer := st.raw(t)
				peer.write(client("1 000 0001", "hi"))
				peer.expect(wire.OpText, "hi")
			}
			deadline := time.After(patience)
			for {
				if len(st.srv.Sockets()) != sockets {
					t.Fatalf("%d sockets are open", len(st.srv.Sockets()))
				}
				// The loops, the monitor, the wheel, and workers kept warm.
				if left := serving(); left < sockets/2 {
					return
				}
				select {
				case <-deadline:
					t.Fatalf("%d goroutines for %d idle sockets", serving(), sockets)
				default:
					runtime.Gosched()
				}
			}
		})
	}
}

// keeper is a listener whose server has connections of its own for requests.
type keeper struct{ net.Listener }

func (k keeper) Accept() (net.Conn, error) {
	conn, err := k.Listener.Accept()
	return keptConn{conn}, err
}

type keptConn struct{ net.Conn }

func (c keptConn) Hijacked() net.Conn { return c.Conn }

// serving counts goroutines that wait for one socket of a server.
func serving() (n int) {
	for _, stack := range leak.Stacks() {
		if strings.Contains(stack, "transport.(*Stream)") || strings.Contains(stack, "net/http") {
			n++
		}
	}
	return n
}

func TestACallbackThatBlocksDelaysNoOtherSocket(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		release := make(chan bool)
		st := n.serve(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				if m.Text() == "block" {
					<-release
				}
				s.SendMessage(m)
			})
			return nil
		})
		blocked := st.raw(t)
		blocked.write(client("1 000 0001", "block"))
		for range 4 {
			peer := st.raw(t)
			for range 3 {
				peer.write(client("1 000 0001", "quick"))
				peer.expect(wire.OpText, "quick")
			}
		}
		close(release)
		blocked.expect(wire.OpText, "block")
	})
}

// The peer reads when all has been queued, far more than the kernel buffers.
func TestASlowPeerGetsEverything(t *testing.T) {
	const messages, size = 300, 100 << 10
	run(t, func(t *testing.T, n network) {
		queued, drained := make(chan error, 1), make(chan bool, messages)
		st := n.serve(t, Options{SendQueue: messages * 2 * size}, func(s *Socket) error {
			s.OnDrain(func() { drained <- true })
			for i := range messages {
				body := bytes.Repeat([]byte{byte(i)}, size-i)
				if err := s.SendBinary(body); err != nil {
					queued <- err
				}
				clear(body) // it is ours again
			}
			queued <- nil
			return nil
		})
		peer := st.connect(t)
		peer.shake()
		if err := <-queued; err != nil {
			t.Fatal(err)
		}
		go peer.read(peer.reader)
		for i := range messages {
			peer.expect(wire.OpBinary, strings.Repeat(string([]byte{byte(i)}), size-i))
		}
		<-drained
		peer.alive()
	})
}

func TestAHandlerThatDoesNotReadLearnsOfTheEnd(t *testing.T) {
	ended := make(chan error, 1)
	st := overTCP.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		<-s.Context().Done()
		ended <- context.Cause(s.Context())
		return nil
	})
	peer := st.raw(t)
	peer.conn.(*net.TCPConn).SetLinger(0) // a reset instead of a FIN
	peer.conn.Close()
	var closed *CloseError
	if err := <-ended; !errors.As(err, &closed) || closed.Code != StatusAbnormalClosure {
		t.Errorf("the cause is %v", err)
	}
}
