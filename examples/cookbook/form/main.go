// Command form is a form of HTML alone: what is wrong stands beside its field, what was typed
// stays, and a message follows the redirect.
//
//	go run ./examples/cookbook/form
//	# then open http://localhost:3000
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"net/http"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/plugins/views"
)

//go:embed signup.html
var pages embed.FS

//go:embed style.css
var assets embed.FS

type signup struct {
	Name  string `form:"name" validate:"required,max=60"`
	Email string `form:"email" validate:"required,email,max=200"`
	Seats int    `form:"seats" validate:"gte=1,lte=4"`
}

// guests is a table in a database, in earnest.
type guests struct {
	mu   sync.Mutex // guards list
	list map[string]signup
}

func (g *guests) add(s signup) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, known := g.list[s.Email]
	if !known {
		g.list[s.Email] = s
	}
	return !known
}

func newApp(secret string) *nextrush.App {
	app := nextrush.New(nextrush.Options{Renderer: views.Must(views.FS(pages))})
	app.Use(middleware.Production(), middleware.CSRF(middleware.CSRFOptions{Secret: []byte(secret)}))
	app.Register(session.New(session.Options{}), static.FS("/assets", assets))
	g := &guests{list: map[string]signup{}}
	app.Get("/", func(c *nextrush.Context) error { return show(c, nil) })
	app.Post("/", func(c *nextrush.Context) error {
		var in signup
		if err := c.Bind(&in); err != nil {
			return showFaults(c, err)
		}
		if !g.add(in) {
			return show(c, map[string]string{"email": "This address has signed up already"})
		}
		session.Flash(c, "done", "Thank you, "+in.Name+". We expect you.")
		return c.Redirect("/", http.StatusSeeOther) // a reload does not send the form again
	})
	return app
}

// showFaults shows the form again if the fields are to blame for the error.
func showFaults(c *nextrush.Context, err error) error {
	fields, ok := nextrush.AsHTTPError(err).Details.([]nextrush.FieldError)
	if !ok {
		return err
	}
	faults := map[string]string{}
	for _, f := range fields {
		faults[f.Field] = f.Message
	}
	return show(c, faults)
}

// show renders the form with what was typed, and what is wrong with it.
func show(c *nextrush.Context, faults map[string]string) error {
	if len(faults) > 0 {
		c.Status(http.StatusUnprocessableEntity)
	}
	return c.NoCache().Render("signup", map[string]any{
		"faults":  faults,
		"typed":   func(field string) string { return c.Form(field) },
		"flashes": session.Flashes(c),
		"csrf":    middleware.CSRFToken(c),
	})
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp(rand.Text() + rand.Text()).Listen(*addr); err != nil { // forms are void after a restart
		log.Fatal(err)
	}
}
