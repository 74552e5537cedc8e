package autotls_test

import (
	"log"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/autotls"
)

func Example() {
	app := nextrush.New()
	certs := autotls.New(autotls.Options{
		Domains:  []string{"a.example", "www.a.example"},
		CacheDir: "/var/lib/a/certs",
		Email:    "admin@a.example",
	})
	if err := app.Register(certs); err != nil {
		log.Fatal(err)
	}
	if err := app.ListenTLSConfig(":443", certs.TLSConfig()); err != nil {
		log.Fatal(err)
	}
}
