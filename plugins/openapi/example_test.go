package openapi_test

import (
	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/openapi"
)

func Example() {
	type greeting struct {
		Text string `json:"text"`
	}
	type whom struct {
		Name string `path:"name" validate:"max=50"`
	}
	app := nextrush.New()
	app.Register(openapi.New(openapi.Options{Title: "Greetings", Version: "1.0.0"}))
	app.Get("/greetings/:name", nextrush.Handle(func(_ *nextrush.Context, in whom) (greeting, error) {
		return greeting{"hello " + in.Name}, nil
	}))
}
