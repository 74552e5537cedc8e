// Command plain uses the WebSocket engine with net/http alone.
//
//	go run ./examples/plain
//	go run ./cmd/nextrush ws ws://localhost:3000/echo   # in a second terminal
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

func handler(srv *websocket.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) {
		err := srv.Upgrade(w, r, func(s *websocket.Socket) error {
			s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
			return nil
		})
		if err != nil {
			log.Print(err)
		}
	})
	return mux
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	sockets := websocket.NewServer(websocket.Options{})
	server := &http.Server{Handler: handler(sockets), ReadHeaderTimeout: 5 * time.Second}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(sockets.Shutdown(ctx), server.Shutdown(ctx)); err != nil {
			log.Print(err)
		}
	}()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s, socket at /echo", ln.Addr())
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-done
}
