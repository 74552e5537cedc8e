package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nextrush/nextrush/examples/cookbook/internal/postgres"
	"github.com/nextrush/nextrush/examples/cookbook/sqlc/db"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestTasks(t *testing.T) {
	url := postgres.Start(t)
	app, err := newApp(url)
	if err != nil {
		t.Fatal(err)
	}
	c := nextrushtest.New(t, app)
	c.Get("/tasks").WantStatus(200).WantJSON(`[]`)
	for i := range 3 {
		c.Post("/tasks", newTask{fmt.Sprint("task ", i)}).WantStatus(201).WantJSON(db.Task{ID: int64(i + 1), Title: fmt.Sprint("task ", i)})
	}
	c.Post("/tasks", newTask{}).WantStatus(422)
	c.Post("/tasks/2/done", nil).WantStatus(200).WantJSON(db.Task{ID: 2, Title: "task 1", Done: true})
	c.Post("/tasks/9/done", nil).WantStatus(404)
	c.Get("/tasks?after=1&most=1").WantStatus(200).WantJSON([]db.Task{{ID: 2, Title: "task 1", Done: true}})
	c.Get("/tasks?most=1000").WantStatus(422)

	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	changes, err := db.New(conn).ListChanges(t.Context(), 2)
	if err != nil || !slices.Equal(changes, []string{"added", "done"}) {
		t.Errorf("got %q, %v", changes, err)
	}
}

var parameter = regexp.MustCompile(`@\w+|\$\d`)

// What sqlc has made is committed: it must be of the queries as they are now.
func TestTheQueriesAreThoseOfTheFile(t *testing.T) {
	generated, err := os.ReadFile("db/queries.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	queries, err := os.ReadFile("queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(text string) string {
		return strings.Join(strings.Fields(parameter.ReplaceAllString(text, "?")), " ")
	}
	all := plain(string(generated))
	parts := strings.Split(strings.ReplaceAll(string(queries), "*", "id, title, done"), ";\n")
	for _, q := range parts[:len(parts)-1] {
		if !strings.Contains(all, plain(q)) {
			t.Errorf("db is not made of this query; run go generate:\n%s", q)
		}
	}
	if made := strings.Count(string(generated), "-- name: "); made != len(parts)-1 {
		t.Errorf("db has %d queries, queries.sql %d; run go generate", made, len(parts)-1)
	}
}
