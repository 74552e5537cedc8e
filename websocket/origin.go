package websocket

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/nextrush/nextrush/internal/origin"
)

// origins is Options.AllowOrigins, parsed, and Options.TrustOrigin.
type origins struct {
	any     bool
	trusted origin.Trust
}

func parseOrigins(opts Options) (o origins, err error) {
	isAny := func(text string) bool { return text == "*" }
	o.any = slices.ContainsFunc(opts.AllowOrigins, isAny)
	o.trusted.Func = opts.TrustOrigin
	o.trusted.List, err = origin.ParseList(slices.DeleteFunc(slices.Clone(opts.AllowOrigins), isAny))
	if err != nil {
		return o, fmt.Errorf("websocket: AllowOrigins: %w", err)
	}
	return o, nil
}

// allow decides on the Origin headers of a request. None at all comes from no
// browser and is let in.
func (o origins) allow(r *http.Request, own string) error {
	headers := r.Header["Origin"]
	if len(headers) == 0 || o.any && len(headers) == 1 && headers[0] != "null" {
		return nil
	}
	if len(headers) > 1 {
		return fmt.Errorf("several Origin headers")
	}
	from := headers[0]
	if origin.Same(from, own) || o.trusted.Has(r, from) {
		return nil
	}
	if _, ok := origin.Parse(from); !ok {
		return fmt.Errorf("origin %q is not allowed", clip(from))
	}
	return fmt.Errorf("origin %q is not the server's, %q; to allow it, add it to AllowOrigins, or to the App's TrustedOrigins", clip(from), clip(own))
}

// clip shortens what a client sent for an error text.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// ownOrigin is the origin that a request was sent to.
func ownOrigin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
