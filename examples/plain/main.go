// Command plain uses the WebSocket engine with net/http alone.
//
//	go run ./examples/plain
//	# then connect to ws://localhost:3000/echo
package main

import (
	"context"
	"errors"
	"log"
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
	sockets := websocket.NewServer(websocket.Options{})
	server := &http.Server{Addr: ":3000", Handler: handler(sockets), ReadHeaderTimeout: 5 * time.Second}

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
	log.Print("listening on http://localhost:3000, socket at /echo")
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-done
}
