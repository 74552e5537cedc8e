package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/olahol/melody"
)

// members is a room for libraries that have none.
type members[C comparable] struct {
	mu  sync.RWMutex // guards all
	all map[C]struct{}
}

func (m *members[C]) join(c C) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[C]struct{})
	}
	m.all[c] = struct{}{}
}

func (m *members[C]) leave(c C) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, c)
}

func (m *members[C]) each(f func(C)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for c := range m.all {
		f(c)
	}
}

type gwsHandler struct {
	gws.BuiltinEventHandler
	room  *members[*gws.Conn] // nil: none
	echo  bool                // to the sender only, even if there is a room
	quiet time.Duration       // heartbeat: longest silence; 0: no limit
}

func (h *gwsHandler) OnOpen(c *gws.Conn) {
	if h.room != nil {
		h.room.join(c)
	}
	h.alive(c)
}

// alive is the heartbeat of gws's own example, with pings from the client.
func (h *gwsHandler) alive(c *gws.Conn) {
	if h.quiet > 0 {
		c.SetDeadline(time.Now().Add(h.quiet))
	}
}

func (h *gwsHandler) OnPing(c *gws.Conn, payload []byte) {
	h.alive(c)
	c.WritePong(payload)
}

func (h *gwsHandler) OnClose(c *gws.Conn, _ error) {
	if h.room != nil {
		h.room.leave(c)
	}
}

func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	h.alive(c)
	if h.echo {
		c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.room.each(func(c *gws.Conn) { b.Broadcast(c) })
}

func gwsUpgrade(h *gwsHandler, compress bool) http.HandlerFunc {
	up := gws.NewUpgrader(h, &gws.ServerOption{
		PermessageDeflate: gws.PermessageDeflate{Enabled: compress, Threshold: 1},
	})
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	}
}

func gwsEcho(compress bool) http.HandlerFunc { return gwsUpgrade(&gwsHandler{echo: true}, compress) }

func gwsRoom() http.HandlerFunc {
	return gwsUpgrade(&gwsHandler{room: new(members[*gws.Conn])}, false)
}

func gwsJoined() http.HandlerFunc {
	return gwsUpgrade(&gwsHandler{room: new(members[*gws.Conn]), echo: true, quiet: time.Minute}, false)
}

func gorillaEcho(compress bool) http.HandlerFunc {
	up := gorilla.Upgrader{EnableCompression: compress}
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	}
}

// queueLength is that of gorilla's chat example.
const queueLength = 256

// gorillaClient has a queue and a writer, as in gorilla's chat example. As there, a client
// whose queue is full is dropped.
type gorillaClient struct {
	*gorilla.Conn
	queue chan *gorilla.PreparedMessage
}

func gorillaRoom() http.HandlerFunc {
	var up gorilla.Upgrader
	var room members[*gorillaClient]
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &gorillaClient{conn, make(chan *gorilla.PreparedMessage, queueLength)}
		done := make(chan struct{})
		room.join(c)
		defer func() { room.leave(c); close(done); c.Close() }()
		go func() {
			for {
				select {
				case p := <-c.queue:
					c.WritePreparedMessage(p)
				case <-done:
					return
				}
			}
		}()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			if p, err := gorilla.NewPreparedMessage(kind, b); err == nil {
				room.each(func(c *gorillaClient) {
					select {
					case c.queue <- p:
					default:
						c.NetConn().Close()
					}
				})
			}
		}
	}
}

func coderEcho(opts *coder.AcceptOptions) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, b) != nil {
				return
			}
		}
	}
}

func gobwasEcho(w http.ResponseWriter, r *http.Request) {
	if conn, _, _, err := ws.UpgradeHTTP(r, w); err == nil {
		go gobwasLoop(conn)
	}
}

// gobwasRaw uses gobwas without net/http: it has no routes, and every path is the echo.
func gobwasRaw(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			if _, err := ws.Upgrade(conn); err != nil {
				conn.Close()
				return
			}
			gobwasLoop(conn)
		}()
	}
}

func gobwasLoop(conn net.Conn) {
	defer conn.Close()
	for {
		b, op, err := wsutil.ReadClientData(conn)
		if err != nil || wsutil.WriteServerMessage(conn, op, b) != nil {
			return
		}
	}
}

func melodyEcho() http.HandlerFunc {
	m := melody.New()
	m.HandleMessage(func(s *melody.Session, b []byte) { s.Write(b) })
	return func(w http.ResponseWriter, r *http.Request) { m.HandleRequest(w, r) }
}

func melodyRoom() http.HandlerFunc {
	m := melody.New()
	m.Config.MaxMessageSize = 64 << 10 // the default, 512 bytes, is too small for the load
	m.HandleMessage(func(_ *melody.Session, b []byte) { m.Broadcast(b) })
	return func(w http.ResponseWriter, r *http.Request) { m.HandleRequest(w, r) }
}
