package route

import (
	"net/http"
	"testing"

	"github.com/nextrush/nextrush/internal/urlpath"
)

func BenchmarkFind(b *testing.B) {
	var entries []Entry[*Pattern]
	for _, path := range []string{"/users/new", "/users/:id", "/users/:uid/posts/:post", "/files/*path", "/*rest"} {
		p, err := Parse(path)
		if err != nil {
			b.Fatal(err)
		}
		entries = append(entries, Entry[*Pattern]{Method: http.MethodGet, Pattern: p, Value: p})
	}
	table := Build(entries)
	for name, path := range map[string]string{"static": "/users/new", "parameter": "/users/42", "two": "/users/42/posts/7", "rest": "/other/page"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := table.Find(http.MethodGet, urlpath.Path{Text: path}); !ok {
					b.Fatal("nothing found")
				}
			}
		})
	}
}
