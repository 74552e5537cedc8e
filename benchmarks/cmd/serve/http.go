package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-playground/validator/v10"
	"github.com/gofiber/fiber/v3"
	"github.com/julienschmidt/httprouter"
	"github.com/labstack/echo/v4"
)

const (
	hello     = "Hello, World!"
	bodyLimit = 4 << 20 // bytes
	typeText  = "text/plain; charset=utf-8"
	typeJSON  = "application/json; charset=utf-8"
)

type message struct {
	Message string `json:"message"`
}

// user has gin's tags beside those of validator.
type user struct {
	Name  string `json:"name" validate:"required,max=100" binding:"required,max=100"`
	Email string `json:"email" validate:"required,email" binding:"required,email"`
	Age   int    `json:"age" validate:"gte=0,lte=150" binding:"gte=0,lte=150"`
}

var check = validator.New()

func plain(w http.ResponseWriter, _ *http.Request) { writeText(w, hello) }

func writeText(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", typeText)
	io.WriteString(w, s)
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Write(b)
}

func object(w http.ResponseWriter, _ *http.Request) { writeJSON(w, message{hello}) }

// create does by hand what binding does: it limits, decodes and validates.
func create(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	var u user
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	if err == nil {
		err = check.Struct(u)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, u)
}

func serveNetHTTP(l net.Listener) error {
	m := http.NewServeMux()
	m.HandleFunc("GET /plain", plain)
	m.HandleFunc("GET /json", object)
	m.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { writeText(w, r.PathValue("id")) })
	m.HandleFunc("POST /users", create)
	addTransfers(m)
	return http.Serve(l, m)
}

func serveHTTPRouter(l net.Listener) error {
	r := httprouter.New()
	r.HandlerFunc("GET", "/plain", plain)
	r.HandlerFunc("GET", "/json", object)
	r.GET("/users/:id", func(w http.ResponseWriter, _ *http.Request, p httprouter.Params) {
		writeText(w, p.ByName("id"))
	})
	r.HandlerFunc("POST", "/users", create)
	return http.Serve(l, r)
}

func serveChi(l net.Listener) error {
	r := chi.NewRouter()
	r.Get("/plain", plain)
	r.Get("/json", object)
	r.Get("/users/{id}", func(w http.ResponseWriter, r *http.Request) { writeText(w, chi.URLParam(r, "id")) })
	r.Post("/users", create)
	return http.Serve(l, r)
}

func serveGin(l net.Listener) error {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/plain", func(c *gin.Context) { c.String(200, hello) })
	r.GET("/json", func(c *gin.Context) { c.JSON(200, message{hello}) })
	r.GET("/users/:id", func(c *gin.Context) { c.String(200, c.Param("id")) })
	r.POST("/users", func(c *gin.Context) {
		var u user
		if err := c.ShouldBindJSON(&u); err != nil {
			c.String(400, err.Error())
			return
		}
		c.JSON(200, u)
	})
	return http.Serve(l, r)
}

func serveEcho(l net.Listener) error {
	e := echo.New()
	e.GET("/plain", func(c echo.Context) error { return c.String(200, hello) })
	e.GET("/json", func(c echo.Context) error { return c.JSON(200, message{hello}) })
	e.GET("/users/:id", func(c echo.Context) error { return c.String(200, c.Param("id")) })
	e.POST("/users", func(c echo.Context) error {
		var u user
		if err := c.Bind(&u); err != nil {
			return err
		}
		if err := check.Struct(u); err != nil {
			return echo.NewHTTPError(400, err.Error())
		}
		return c.JSON(200, u)
	})
	return http.Serve(l, e)
}

func serveFiber(l net.Listener) error {
	app := fiber.New()
	app.Get("/plain", func(c fiber.Ctx) error { return c.SendString(hello) })
	app.Get("/json", func(c fiber.Ctx) error { return c.JSON(message{hello}) })
	app.Get("/users/:id", func(c fiber.Ctx) error { return c.SendString(c.Params("id")) })
	app.Post("/users", func(c fiber.Ctx) error {
		var u user
		if err := c.Bind().Body(&u); err != nil {
			return err
		}
		if err := check.Struct(u); err != nil {
			return fiber.NewError(400, err.Error())
		}
		return c.JSON(u)
	})
	addFiberTransfers(app)
	return app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}
