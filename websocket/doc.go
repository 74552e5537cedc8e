// Package websocket is a WebSocket engine (RFC 6455) with permessage-deflate
// (RFC 7692), rooms, events with acknowledgements, bounded queues and a drain
// on shutdown. It serves sockets behind any net/http router and is a client too.
//
// # Serving
//
//	srv := websocket.NewServer(websocket.Options{})
//	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
//		srv.Upgrade(w, r, func(s *websocket.Socket) error {
//			s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
//			return nil
//		})
//	})
//
// The handler runs after the 101 in a goroutine of its own; the goroutine and
// the buffers of net/http are released. Messages are read once the handler has
// returned or called [Socket.Receive], so none is lost.
//
// # Concurrency
//
// Every exported method is safe from any goroutine. Callbacks of one socket run
// one at a time, in the order of its messages; one that blocks delays only its
// own socket. [Socket.Send] never blocks: it queues, and what happens when the
// queue is full is decided by [Options.SlowConsumer].
//
// # Writing
//
// Everything that callbacks send while one read is being processed leaves in
// one system call when that read has been worked off, or after about two
// milliseconds if a callback takes longer than that.
package websocket
