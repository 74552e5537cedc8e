package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/examples/cookbook/internal/postgres"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestShop(t *testing.T) {
	url := postgres.Start(t)
	app, err := newApp(url)
	if err != nil {
		t.Fatal(err)
	}
	c := nextrushtest.New(t, app)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	add := func(t *testing.T, name string, stock int32) (added item) {
		t.Helper()
		c.For(t).Post("/items", newItem{name, stock}).WantStatus(201).JSON(&added)
		return added
	}
	orders := func(id int64) string { return fmt.Sprintf("/items/%d/orders", id) }
	stock := func(t *testing.T, id int64) (n int32) {
		t.Helper()
		if err := db.QueryRow(t.Context(), "SELECT stock FROM items WHERE id = $1", id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}

	t.Run("a name that is taken is a conflict of that field", func(t *testing.T) {
		add(t, "tea", 3)
		var problem struct{ Errors []nextrush.FieldError }
		c.For(t).Post("/items", newItem{"tea", 1}).WantStatus(409).JSON(&problem)
		if len(problem.Errors) != 1 || problem.Errors[0].Field != "name" || problem.Errors[0].Rule != "unique" {
			t.Errorf("got %+v", problem)
		}
		c.For(t).Post("/items", newItem{"", 1}).WantStatus(422)
		var all []item
		if c.For(t).Get("/items").JSON(&all); len(all) != 1 {
			t.Errorf("got %v", all)
		}
	})

	t.Run("no more is sold than there is", func(t *testing.T) {
		added := add(t, "milk", 10)
		var sold atomic.Int32
		var buyers sync.WaitGroup
		for range 20 {
			buyers.Go(func() {
				w, r := httptest.NewRecorder(), httptest.NewRequest("POST", orders(added.ID), strings.NewReader(`{"count":1}`))
				r.Header.Set("Content-Type", "application/json")
				if app.ServeHTTP(w, r); w.Code == http.StatusOK {
					sold.Add(1)
				} else if w.Code != http.StatusConflict {
					t.Error(w.Code, w.Body)
				}
			})
		}
		buyers.Wait()
		var kept int32
		db.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE item = $1", added.ID).Scan(&kept)
		if left := stock(t, added.ID); sold.Load() != 10 || left != 0 || kept != 10 {
			t.Errorf("%d are sold, %d are left, and there are %d orders", sold.Load(), left, kept)
		}
		c.For(t).Post("/items/999/orders", newOrder{Count: 1}).WantStatus(404)
	})

	t.Run("what a client has given up has not happened", func(t *testing.T) {
		added := add(t, "bread", 5)
		other, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(context.Background())
		lock, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Exec(t.Context(), "UPDATE items SET stock = 5 WHERE id = $1", added.ID); err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", orders(added.ID), strings.NewReader(`{"count":1}`))
		r.Header.Set("Content-Type", "application/json")
		ended := make(chan bool)
		go func() {
			defer close(ended)
			app.ServeHTTP(httptest.NewRecorder(), r) // waits for the lock
		}()
		await(t, other, "SELECT count(*) FROM pg_locks WHERE NOT granted")
		giveUp()
		<-ended
		if err := lock.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := stock(t, added.ID); left != 5 {
			t.Errorf("%d are left", left)
		}
	})

	t.Run("sockets are told what is sold, also after a loss of the connection", func(t *testing.T) {
		added := add(t, "wine", 5)
		s := c.For(t).Dial("/stock")
		s.ExpectEvent("reload", nil)
		old := await(t, db, listeners("coalesce(max(pid), 0)"))
		await(t, db, listeners("count(pg_terminate_backend(pid))"))
		await(t, db, fmt.Sprintf("%s AND pid <> %d", listeners("count(*)"), old)) // the old one goes by and by
		c.For(t).Post(orders(added.ID), newOrder{Count: 2}).WantStatus(200)
		reloads := 0
		e, _ := s.Next().Event()
		for ; e.Name == "reload"; e, _ = s.Next().Event() {
			reloads++
		}
		var news item
		if e.Bind(0, &news); news != (item{added.ID, "wine", 3}) || reloads == 0 {
			t.Errorf("told to load anew %d times, then %s %+v", reloads, e.Name, news)
		}
	})
}

// listeners asks for something of the connections that listen.
func listeners(what string) string {
	return "SELECT " + what + " FROM pg_stat_activity WHERE query = 'LISTEN stock'"
}

// await asks until the answer is not 0, and returns it.
func await(t *testing.T, db *pgx.Conn, query string) (n int) {
	t.Helper()
	for n == 0 {
		if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
