// Package websocket is a WebSocket engine (RFC 6455) with permessage-deflate
// (RFC 7692), rooms, events with replies, bounded queues and a drain on shutdown. It
// serves sockets on any net/http router, and is a client too.
//
// # Serving
//
// A [Server] upgrades requests to sockets:
//
//	srv := websocket.NewServer(websocket.Options{})
//	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
//		srv.Upgrade(w, r, func(s *websocket.Socket) error {
//			s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
//			return nil
//		})
//	})
//
// The handler runs after the 101 in a goroutine of its own; the goroutine and the
// buffers of net/http are released. Messages are read once the handler has returned or
// called [Socket.Receive], so none is lost. An error from the handler closes the
// socket: a [*CloseError] with its own code, any other with 1011.
//
// [Server.Accept] returns a [Handshake] instead, to be opened or refused later. Until
// then messages are queued, and joins are noted.
//
// # Messages
//
// There are two ways to get messages. [Socket.OnMessage] registers a callback, which
// borrows the bytes until it returns; [Message.Clone] keeps them. [Socket.Receive]
// waits for the next message, and owns it. Up to 16 KiB of messages that come before
// anybody asks for them are kept.
//
// # Events
//
// [On] and [Handle] register functions for named events, which are text messages in
// the form of [Socket.Emit]. Their first argument is decoded and checked with
// [Options.Validate]. What a function given to Handle returns is its reply;
// [Socket.Request] waits for one, and [Emitter.Request] for those of many sockets.
// [Socket.UseEvents] registers middleware. Only the text of an [EventReplier], such as
// [*EventError], reaches the peer; any other error is an "internal error" there.
//
// # Rooms
//
// A socket joins rooms by name, and leaves them when it ends. An [Emitter], from
// [Server.To], [Server.All], [Socket.To] or [Socket.Others], sends to everyone in some
// rooms, and can have all of them join, leave or close. A message is encoded once and
// compressed at most once, whatever the number of receivers, and so is one from
// [Prepare].
//
// Rooms are those of a [Namespace]. A server has one by default, and others by name; a
// socket is in the one that accepted it, [Server.Namespace] and [Namespace.Upgrade].
//
// # Clients of nextrush.v1
//
// Our own clients offer the subprotocol [Protocol], which every server speaks. It tells
// them what a page does not see of a WebSocket, such as silence and when to come back, and
// it makes [Options.Rooms] possible: rooms whose events are kept, so that clients that
// were cut off get what they have missed, and rooms that tell who is there. [Once] carries out a
// request once that is repeated after a loss, and [OnceIn] does so on several nodes. docs/protocol.md is for those who write
// another client.
//
// # Sending
//
// [Socket.Send] never blocks: it queues, and [Options.SendQueue] bounds what waits.
// What happens when a queue is full is decided by [Options.SlowConsumer]; by default
// the socket is closed with 1013. [Socket.Buffered] and [Socket.OnDrain] are for
// producers that want to keep pace with the peer.
//
// Everything that callbacks send while one read is being processed leaves in one system
// call at its end, or after about two milliseconds if a callback takes longer.
//
// # Closing
//
// [Socket.Close] starts the close handshake: what is queued is sent, then a close
// frame. A peer that does not answer within [Options.CloseTimeout] is cut off. A peer
// that breaks the protocol, exceeds a limit or does not answer pings is closed too.
// [Socket.OnClose] runs once, after everything else; [Socket.Context] ends with the
// socket. [Server.Shutdown] closes all sockets with 1001, spread over
// [Options.DrainWindow].
//
// # Errors
//
// Sending fails with [ErrClosed], [ErrSlowConsumer] or [ErrDropped]. Receive, Request
// and the cause of the context tell how the socket ended with a *CloseError, which is
// ErrClosed too. Lost connections, protocol errors, and
// panics and errors of handlers go to [Socket.OnError] and [Options.OnError].
//
// # Concurrency
//
// Every exported method is safe from any goroutine. Callbacks of one socket run one at
// a time, in the order of its messages, and under no lock. One that blocks delays only
// its own socket. A callback cannot wait for the next message or for a reply: that
// fails with [ErrInCallback].
//
// # Limits
//
// The zero value of [Options] is safe: it bounds messages, queues and waiting.
// MaxConnections, MaxConnectionsPerIP, MaxRooms and RateLimit are off by default.
//
// # What a waiting socket costs
//
// On Linux, sockets over TCP are polled, and have no goroutine and no buffers while
// nothing arrives. With TLS that needs [PollListener] below the TLS listener; an App of
// nextrush has it. Elsewhere, and with [Options.DisablePolling], a goroutine waits for
// each socket.
//
// # Behind a proxy
//
// Browsers may connect from the server's own origin, from [Options.AllowOrigins], and from
// those that [Options.TrustOrigin] knows.
// If a proxy ends TLS or changes the host, set [Options.SameOrigin] and
// [Options.ClientIP]; an App does that from its TrustedProxies.
//
// # Dialing
//
// [Dial] opens a client's socket, which is the same [Socket]. Its messages wait until
// there is a consumer, and reading waits with them.
//
// [NewClient] makes a [Client], which connects again and again, keeps what it cannot send
// yet, and gets what it has missed. Its callbacks run in the goroutine of [Client.Run].
package websocket
