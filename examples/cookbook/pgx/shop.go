package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nextrush/nextrush"
)

// shop keeps its items in a database. Its methods are safe from any goroutine.
type shop struct {
	app *nextrush.App
	db  *pgxpool.Pool

	cancel   context.CancelFunc // ends the listener
	listener sync.WaitGroup
}

type item struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Stock int32  `json:"stock"`
}

type newItem struct {
	Name  string `json:"name" validate:"required,max=100"`
	Stock int32  `json:"stock" validate:"gte=0,lte=1000000"`
}

type newOrder struct {
	Item  int64 `path:"id"`
	Count int32 `json:"count" validate:"gte=1,lte=100"`
}

func (s *shop) list(c *nextrush.Context, _ struct{}) ([]item, error) {
	rows, err := s.db.Query(c.Context(), "SELECT id, name, stock FROM items ORDER BY name LIMIT 100")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[item])
}

func (s *shop) add(c *nextrush.Context, in newItem) (item, error) {
	out := item{Name: in.Name, Stock: in.Stock}
	err := s.db.QueryRow(c.Context(), "INSERT INTO items (name, stock) VALUES ($1, $2) RETURNING id", in.Name, in.Stock).Scan(&out.ID)
	if err != nil {
		return item{}, conflict(err)
	}
	c.Status(http.StatusCreated)
	return out, nil
}

// order takes from the stock, keeps the order, and notifies all who listen, in one transaction.
// If the client goes away, or the request takes too long, its context ends, and nothing has
// happened. What is notified is delivered when the transaction is committed.
func (s *shop) order(c *nextrush.Context, in newOrder) (left item, err error) {
	ctx := c.Context()
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		left = item{ID: in.Item}
		err := tx.QueryRow(ctx, "SELECT name, stock FROM items WHERE id = $1 FOR UPDATE", in.Item).Scan(&left.Name, &left.Stock)
		if errors.Is(err, pgx.ErrNoRows) {
			return nextrush.NewError(http.StatusNotFound, "there is no such item")
		}
		if err != nil {
			return err
		}
		if left.Stock -= in.Count; left.Stock < 0 {
			return nextrush.NewError(http.StatusConflict, "so many are not left")
		}
		return record(ctx, tx, in, left)
	})
	return left, err
}

// record writes what an order changes, in one round trip.
func record(ctx context.Context, tx pgx.Tx, in newOrder, left item) error {
	news, err := json.Marshal(left)
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue("UPDATE items SET stock = $2 WHERE id = $1", left.ID, left.Stock)
	b.Queue("INSERT INTO orders (item, count) VALUES ($1, $2)", in.Item, in.Count)
	b.Queue("SELECT pg_notify('stock', $1)", string(news)) // at most 8,000 bytes
	return tx.SendBatch(ctx, &b).Close()
}

// unique says which field is to blame if a constraint is violated.
var unique = map[string]nextrush.FieldError{
	"items_name": {Field: "name", Rule: "unique", Message: "there is an item with this name already"},
}

// conflict makes a 409 of the violation of a unique constraint.
func conflict(err error) error {
	var violation *pgconn.PgError
	if !errors.As(err, &violation) || violation.Code != "23505" { // unique_violation
		return err
	}
	field := unique[violation.ConstraintName]
	return nextrush.NewError(http.StatusConflict, field.Message).WithDetails([]nextrush.FieldError{field}).WithCause(err)
}
