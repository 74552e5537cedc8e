package middleware

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/query"
)

// overrideLimit is how much of a form, in bytes, is searched for the field.
const overrideLimit = 64 << 10

// MethodOverrideOptions configures MethodOverride. The zero value is complete.
type MethodOverrideOptions struct {
	Methods []string // that a POST may become; empty: PUT, PATCH, DELETE
	Header  string   // empty: "X-HTTP-Method-Override"
	Field   string   // of a form; empty: "_method"
}

// MethodOverride lets clients that can only POST, such as HTML forms, name the
// method they mean, in a header or a form's field. What is not listed in Methods
// stays a POST. The field is looked for in urlencoded forms of up to 64 KiB,
// which are left to be read again. The method decides the route, so it belongs
// before that: app.Pre(middleware.MethodOverride()).
func MethodOverride(opts ...MethodOverrideOptions) func(http.Handler) http.Handler {
	o := opt.First(opts).withDefaults()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				r = r.WithContext(r.Context())
				if method := o.meant(r); slices.Contains(o.Methods, method) {
					r.Method = method
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (o MethodOverrideOptions) withDefaults() MethodOverrideOptions {
	if o.Header == "" {
		o.Header = "X-HTTP-Method-Override"
	}
	if o.Field == "" {
		o.Field = "_method"
	}
	o.Methods = slices.Clone(o.Methods)
	if len(o.Methods) == 0 {
		o.Methods = []string{http.MethodPut, http.MethodPatch, http.MethodDelete}
	}
	for i, method := range o.Methods {
		o.Methods[i] = strings.ToUpper(method)
		switch o.Methods[i] {
		case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodConnect, http.MethodTrace:
			panic(fmt.Sprintf("middleware: MethodOverride: leave %s out of Methods: a POST must not pass for a request that changes nothing", method))
		}
	}
	return o
}

func (o *MethodOverrideOptions) meant(r *http.Request) string {
	method := r.Header.Get(o.Header)
	if method == "" {
		method = overrideField(r, o.Field)
	}
	return strings.ToUpper(method)
}

// overrideField reads the body's start and puts it back.
func overrideField(r *http.Request, field string) string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" || r.Body == nil || r.ContentLength > overrideLimit {
		return ""
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, overrideLimit+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), r.Body), r.Body}
	if err != nil || len(start) > overrideLimit {
		return ""
	}
	values, _ := query.Parse(string(start))
	return values.Get(field)
}
