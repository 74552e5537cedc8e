package client_test

import (
	"fmt"
	"log"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
)

func ExamplePlugin_Script() {
	p := client.New()
	app := nextrush.New()
	app.Use(middleware.SecureHeaders())
	if err := app.Register(p); err != nil {
		log.Fatal(err)
	}
	app.Get("/", func(c *nextrush.Context) error {
		return c.HTML(fmt.Sprint("<!doctype html><title>Chat</title>", p.Script(middleware.CSPNonce(c)),
			`<script src="/app.js" type="module"></script>`))
	})
	fmt.Println(p.Name())
	// Output: client
}
