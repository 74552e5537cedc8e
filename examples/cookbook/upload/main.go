// Command upload takes a file, whose progress the page shows.
//
//	go run ./examples/cookbook/upload
//	# then open http://localhost:3000, or
//	curl -F file=@notes.pdf localhost:3000/files
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"os"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/plugins/upload"
)

//go:embed index.html app.js style.css
var page embed.FS

var limits = upload.Options{MaxFile: 20 << 20, MaxFiles: 1, MaxTotal: 21 << 20} // the page names it, too

type kept struct {
	Name string `json:"name"` // ours: the client's could be that of another file
	Size int64  `json:"size"`
	Type string `json:"type"` // by its content
}

func newApp(dir string) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production(), middleware.CSRF())
	app.Post("/files", upload.Handler(limits), func(c *nextrush.Context) error {
		f := upload.From(c).File("file")
		if f == nil {
			return nextrush.NewError(422, "choose a file")
		}
		out := kept{rand.Text() + f.Ext(), f.Size, f.Type}
		if err := f.Save(dir, out.Name); err != nil {
			return err
		}
		return c.Status(201).JSON(out)
	})
	app.Register(static.FS("/", page))
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	dir := flag.String("dir", os.TempDir(), "folder of the files")
	flag.Parse()
	if err := newApp(*dir).Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
