package handshake

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/nextrush/nextrush/internal/origin"
)

// Origins are those that browsers may connect from besides the server's own.
type Origins struct {
	any     bool
	trusted origin.Trust
}

// ParseOrigins reads a list of origins, in which "*" is any; trust is asked about others, if
// it is not nil.
func ParseOrigins(list []string, trust func(r *http.Request, origin string) bool) (o Origins, err error) {
	isAny := func(text string) bool { return text == "*" }
	o.any = slices.ContainsFunc(list, isAny)
	o.trusted.Func = trust
	o.trusted.List, err = origin.ParseList(slices.DeleteFunc(slices.Clone(list), isAny))
	if err != nil {
		return o, fmt.Errorf("websocket: AllowOrigins: %w", err)
	}
	return o, nil
}

// Allow decides on the Origin headers of a request. None at all comes from no
// browser and is let in.
func (o Origins) Allow(r *http.Request, own string) error {
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

// OwnOrigin is the origin that a request was sent to.
func OwnOrigin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
