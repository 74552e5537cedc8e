package nextrush_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

func Example() {
	app := nextrush.New()
	app.Use(func(c *nextrush.Context) error {
		c.SetHeader("X-Powered-By", "NextRush")
		return c.Next()
	})
	app.Get("/users/:id", func(c *nextrush.Context) error {
		return c.JSON(map[string]string{"id": c.Param("id")})
	}).Named("user")

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/users/7", nil))
	fmt.Print(w.Body)
	fmt.Println(app.URL("user", 7))
	// Output:
	// {"id":"7"}
	// /users/7 <nil>
}

func ExampleApp_WS() {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{MaxConnections: 100})
	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.Send("Echo: " + m.Text()) })
		return nil
	})
	fmt.Println(app.WebSocketStats().Connections)
	// Output: 0
}

func ExampleContext_Bind() {
	app := nextrush.New()
	app.Put("/users/:id", func(c *nextrush.Context) error {
		var in struct {
			ID   int    `path:"id"`
			Name string `query:"name" validate:"min=3"`
		}
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.Text(fmt.Sprint(in.ID, in.Name))
	})
	for _, target := range []string{"/users/7?name=ada", "/users/7?name=x", "/users/x"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("PUT", target, nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 422
	// 400
}

type greetingIn struct {
	Name string `query:"name" validate:"required"`
}

type greeting struct {
	Text string `json:"text"`
}

func ExampleHandle() {
	app := nextrush.New()
	app.Get("/hello", nextrush.Describe(nextrush.Operation{Summary: "Greets"}),
		nextrush.Handle(func(c *nextrush.Context, in greetingIn) (greeting, error) {
			return greeting{"Hello " + in.Name}, nil
		}))

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/hello?name=Ada", nil))
	op := app.Routes()[0].Operation
	fmt.Print(w.Body)
	fmt.Println(op.Summary, op.In, op.Out)
	// Output:
	// {"text":"Hello Ada"}
	// Greets nextrush_test.greetingIn nextrush_test.greeting
}

func ExampleApp_Use() {
	app := nextrush.New()
	app.Use("/admin", func(c *nextrush.Context) error {
		if c.Header("Authorization") == "" {
			return nextrush.NewError(401)
		}
		return c.Next()
	})
	app.Get("/admin/users", func(c *nextrush.Context) error { return c.Text("all users") })

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/admin/users", nil))
	fmt.Println(w.Code)
	// Output: 401
}

func ExampleApp_Host() {
	app := nextrush.New()
	app.Host(":tenant.example.com").Get("/", func(c *nextrush.Context) error {
		return c.Text("shop of " + c.Param("tenant"))
	})

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "http://acme.example.com/", nil))
	fmt.Println(w.Body)
	// Output: shop of acme
}

func ExampleApp_Namespace() {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	tenant := app.Namespace("/t/:tenant") // give it the middleware that lets members in
	tenant.WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.To("lobby").Send(m) }) // of this tenant alone
		return s.Join("lobby")
	})
	tenant.Post("/news", func(c *nextrush.Context) error {
		ns := nextrush.NamespaceOf(c)
		ns.All().Emit("news", c.Query("text"))
		return c.Text(ns.Name())
	})

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/t/acme/news?text=hi", nil))
	fmt.Println(w.Body)
	// Output: /t/acme
}
