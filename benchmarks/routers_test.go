package benchmarks

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	gorilla "github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"github.com/lxzan/gws"
	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
	"github.com/olahol/melody"
)

// The engine serves sockets of the routers that docs/coming-from-gorilla.md names, behind
// their middleware.
func TestSocketsOnOtherRouters(t *testing.T) {
	srv := websocket.NewServer(websocket.Options{})
	t.Cleanup(func() { srv.Close() })
	upgrade := func(w http.ResponseWriter, r *http.Request, room string) {
		err := srv.Upgrade(w, r, func(s *websocket.Socket) error {
			s.OnMessage(func(m websocket.Message) { srv.To(room).Send(m) })
			return s.Join(room)
		})
		if err != nil {
			t.Error(err)
		}
	}
	for name, serve := range map[string]func() string{
		"chi": func() string {
			r := chi.NewRouter()
			r.Use(chimiddleware.RequestID, chimiddleware.Logger, chimiddleware.Recoverer)
			r.Route("/rooms", func(r chi.Router) {
				r.Get("/{room}", func(w http.ResponseWriter, r *http.Request) { upgrade(w, r, chi.URLParam(r, "room")) })
			})
			return over(t, r)
		},
		"gin": func() string {
			gin.SetMode(gin.ReleaseMode)
			r := gin.New()
			r.Use(gin.Logger(), gin.Recovery())
			r.GET("/rooms/:room", func(c *gin.Context) { upgrade(c.Writer, c.Request, c.Param("room")) })
			return over(t, r)
		},
		"echo": func() string {
			e := echo.New()
			e.Use(echomiddleware.RequestID(), echomiddleware.Gzip(), echomiddleware.Recover())
			e.GET("/rooms/:room", func(c echo.Context) error {
				upgrade(c.Response(), c.Request(), c.Param("room"))
				return nil
			})
			return over(t, e)
		},
		"fiber": func() string {
			app := fiber.New()
			app.Get("/rooms/:room", func(c fiber.Ctx) error {
				room := strings.Clone(c.Params("room")) // Fiber uses its bytes again
				return adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) { upgrade(w, r, room) })(c)
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
			t.Cleanup(func() { app.Shutdown() })
			return "http://" + l.Addr().String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			url := serve()
			tea, coffee := join(t, url+"/rooms/tea"), join(t, url+"/rooms/coffee")
			tea.Send("tea")
			coffee.Send("coffee")
			for want, s := range map[string]*websocket.Socket{"tea": tea, "coffee": coffee} {
				if m, err := s.Receive(ctx); err != nil || m.Text() != want {
					t.Errorf("got %q, %v, want %q", m.Text(), err, want)
				}
			}
		})
	}
}

// Connections of other libraries go on behind an App, while a program moves.
func TestOtherEnginesInAnApp(t *testing.T) {
	old := http.NewServeMux()
	old.HandleFunc("/gorilla", func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&gorilla.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for {
			kind, p, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	old.HandleFunc("/coder", func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		for {
			kind, p, err := conn.Read(context.Background())
			if err != nil || conn.Write(context.Background(), kind, p) != nil {
				return
			}
		}
	})
	upgrader := gws.NewUpgrader(gwsEcho{}, nil)
	old.HandleFunc("/gws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		go conn.ReadLoop()
	})
	m := melody.New()
	t.Cleanup(func() { m.Close() })
	m.HandleMessage(func(s *melody.Session, p []byte) { s.Write(p) })
	old.HandleFunc("/melody", func(w http.ResponseWriter, r *http.Request) {
		if err := m.HandleRequest(w, r); err != nil {
			t.Error(err)
		}
	})

	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/moved", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	app.Mount("/", old)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Serve(l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		app.Shutdown(ctx)
	})
	for _, name := range []string{"gorilla", "coder", "gws", "melody", "moved"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s := join(t, "http://"+l.Addr().String()+"/"+name)
			for _, want := range []string{"hi", "bye"} {
				s.Send(want)
				if m, err := s.Receive(ctx); err != nil || m.Text() != want {
					t.Fatalf("got %q, %v, want %q", m.Text(), err, want)
				}
			}
		})
	}
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(conn *gws.Conn, m *gws.Message) {
	defer m.Close()
	conn.WriteMessage(m.Opcode, m.Bytes())
}

func over(t *testing.T, h http.Handler) (url string) {
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	return ts.URL
}

func join(t *testing.T, url string) *websocket.Socket {
	t.Helper()
	s, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	return s
}
