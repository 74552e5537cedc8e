package profiler_test

import (
	"fmt"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/profiler"
)

func Example() {
	app := nextrush.New()
	err := app.Register(profiler.New(profiler.Options{Auth: func(c *nextrush.Context) error {
		if c.IP() != "127.0.0.1" {
			return nextrush.NewError(403)
		}
		return c.Next()
	}}))
	fmt.Println(err, len(app.Routes()))
	// Output: <nil> 7
}
