// Command sqlc is an API of tasks in PostgreSQL. Its queries are SQL in queries.sql, of which
// sqlc makes typed functions.
//
//	DATABASE_URL=postgres://localhost/tasks go run ./examples/cookbook/sqlc
//	curl --json '{"title":"Buy milk"}' localhost:3000/tasks
//	curl -X POST localhost:3000/tasks/1/done
//	curl 'localhost:3000/tasks?after=0&most=20'
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/examples/cookbook/sqlc/db"
	"github.com/nextrush/nextrush/middleware"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

//go:embed schema.sql
var schema string

type newTask struct {
	Title string `json:"title" validate:"required,max=200"`
}

type page struct {
	After int64 `query:"after" validate:"gte=0"`
	Most  int32 `query:"most" validate:"gte=0,lte=100"` // 0: 20
}

type taskID struct {
	ID int64 `path:"id"`
}

// tasks answers requests. Its methods are safe from any goroutine.
type tasks struct {
	pool *pgxpool.Pool
}

func (t tasks) list(c *nextrush.Context, in page) ([]db.Task, error) {
	return db.New(t.pool).ListTasks(c.Context(), db.ListTasksParams{After: in.After, Most: cmp.Or(in.Most, 20)})
}

// add keeps a task and the change in one transaction, or neither.
func (t tasks) add(c *nextrush.Context, in newTask) (added db.Task, err error) {
	err = t.change(c, "added", func(q *db.Queries) (id int64, err error) {
		added, err = q.AddTask(c.Context(), in.Title)
		return added.ID, err
	})
	c.Status(http.StatusCreated)
	return added, err
}

func (t tasks) finish(c *nextrush.Context, in taskID) (done db.Task, err error) {
	err = t.change(c, "done", func(q *db.Queries) (id int64, err error) {
		done, err = q.FinishTask(c.Context(), in.ID)
		return done.ID, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return done, nextrush.NewError(http.StatusNotFound, "there is no such task")
	}
	return done, err
}

// change runs f in a transaction, which ends without effect if f fails, or with the request.
func (t tasks) change(c *nextrush.Context, what string, f func(*db.Queries) (int64, error)) error {
	return pgx.BeginFunc(c.Context(), t.pool, func(tx pgx.Tx) error {
		q := db.New(tx)
		id, err := f(q)
		if err != nil {
			return err
		}
		return q.KeepChange(c.Context(), db.KeepChangeParams{Task: id, What: what})
	})
}

func newApp(url string) (*nextrush.App, error) {
	pool, err := pgxpool.New(context.Background(), url) // connects when it is used
	if err != nil {
		return nil, err
	}
	app, t := nextrush.New(), tasks{pool}
	app.Use(middleware.Production(), middleware.Timeout(10*time.Second))
	app.OnStart(func(ctx context.Context) error {
		_, err := pool.Exec(ctx, schema)
		return err
	})
	app.OnShutdown(func(context.Context) error {
		pool.Close()
		return nil
	})
	app.Get("/tasks", nextrush.Handle(t.list))
	app.Post("/tasks", nextrush.Handle(t.add))
	app.Post("/tasks/:id/done", nextrush.Handle(t.finish))
	return app, nil
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
