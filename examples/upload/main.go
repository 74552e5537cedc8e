// Command upload is a gallery: pictures that you drop on the page, or choose there,
// are checked, kept and shown.
//
//	go run ./examples/upload
//	# then open http://localhost:3000, or
//	curl -F picture=@photo.jpg localhost:3000/pictures
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"io/fs"
	"log"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/plugins/upload"
)

//go:embed page
var page embed.FS

// limits are those of one request. The content of a file counts, not its name: an HTML
// page named a.png is refused.
var limits = upload.Options{
	Types:    []string{"image/png", "image/jpeg", "image/gif", "image/webp"},
	MaxFile:  5 << 20,
	MaxFiles: 8,
	MaxTotal: 20 << 20,
}

type picture struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Size int64  `json:"size"`
}

func newApp(dir string) *nextrush.App {
	app := nextrush.New()
	app.Use(
		middleware.RequestID(),
		middleware.Logger(),
		middleware.Recover(),
		middleware.SecureHeaders(),
		middleware.CSRF(),
	)
	app.Get("/pictures", func(c *nextrush.Context) error {
		all, err := list(dir)
		if err != nil {
			return err
		}
		return c.JSON(all)
	})
	app.Post("/pictures", upload.Handler(limits), func(c *nextrush.Context) error {
		kept, err := keep(dir, upload.From(c).Files)
		if err != nil {
			return err
		}
		return c.Status(201).JSON(kept)
	})
	assets, err := fs.Sub(page, "page")
	if err != nil {
		panic(err)
	}
	app.Register(
		static.New("/files", dir, static.Options{Immutable: func(string) bool { return true }}),
		static.FS("/", assets),
	)
	return app
}

// keep saves files under our own names, which sort by time. The client's name could be
// anything, even the name of another file.
func keep(dir string, files []*upload.File) ([]picture, error) {
	if len(files) == 0 {
		return nil, nextrush.NewError(422, "there is no picture in the form")
	}
	kept := make([]picture, 0, len(files))
	for _, f := range files {
		name := time.Now().UTC().Format("20060102-150405.000-") + rand.Text()[:10] + f.Ext()
		if err := f.Save(dir, name); err != nil {
			return nil, err
		}
		kept = append(kept, newPicture(name, f.Size))
	}
	return kept, nil
}

// list returns the pictures, the latest first.
func list(dir string) ([]picture, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make([]picture, 0, len(entries))
	for _, e := range slices.Backward(entries) {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			all = append(all, newPicture(e.Name(), info.Size()))
		}
	}
	return all, nil
}

func newPicture(name string, size int64) picture {
	return picture{name, "/files/" + url.PathEscape(name), size}
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	dir := flag.String("dir", "", "folder of the pictures; empty: a new one in "+os.TempDir())
	flag.Parse()
	if err := run(*addr, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(addr, dir string) (err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "pictures-")
	} else {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return err
	}
	log.Println("pictures are kept in", dir)
	return newApp(dir).Listen(addr)
}
