package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// listen tells the sockets of this process what any process has notified, until ctx ends.
func (s *shop) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.follow(ctx); ctx.Err() == nil {
			slog.Error("listening to the database; trying again in a second", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follow has a connection of its own, as one of the pool would be kept from the requests. What
// was notified before there was one is lost, so the pages are told to load anew.
func (s *shop) follow(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN stock"); err != nil {
		return err
	}
	if err := s.app.WSTo("stock").Emit("reload"); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if err := s.app.WSTo("stock").Emit("stock", json.RawMessage(n.Payload)); err != nil {
			return err
		}
	}
}
