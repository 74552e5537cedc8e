// Command pgx is a shop whose stock is in PostgreSQL. A page, or any program, is told over a
// socket what is left of an item, whichever process has sold it.
//
//	DATABASE_URL=postgres://localhost/shop go run ./examples/cookbook/pgx
//	curl --json '{"name":"tea","stock":10}' localhost:3000/items
//	go run ./cmd/nextrush ws ws://localhost:3000/stock &
//	curl --json '{"count":2}' localhost:3000/items/1/orders
package main

import (
	"context"
	_ "embed"
	"flag"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed schema.sql
var schema string

func newApp(url string) (*nextrush.App, error) {
	db, err := pgxpool.New(context.Background(), url) // connects when it is used
	if err != nil {
		return nil, err
	}
	app := nextrush.New()
	s := &shop{app: app, db: db}
	app.Use(middleware.Production(), middleware.Timeout(10*time.Second))
	app.EnableWebSocket(websocket.Options{})
	app.OnStart(s.start)
	app.OnShutdown(s.stop)
	app.Get("/items", nextrush.Handle(s.list))
	app.Post("/items", nextrush.Handle(s.add))
	app.Post("/items/:id/orders", nextrush.Handle(s.order))
	app.WS("/stock", func(s *websocket.Socket, _ *nextrush.Context) error {
		if err := s.Join("stock"); err != nil {
			return err
		}
		return s.Emit("reload") // the items: from now on it is told what changes
	})
	return app, nil
}

// start makes the tables, and listens to what is notified.
func (s *shop) start(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, schema); err != nil {
		return err
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.listener.Go(func() { s.listen(ctx) })
	return nil
}

// stop runs when no request is under way any more.
func (s *shop) stop(context.Context) error {
	s.cancel()
	s.listener.Wait()
	s.db.Close()
	return nil
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	app, err := newApp(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if err := app.Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
