package auth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
)

// Principal is somebody who has proved who they are. It must not be changed once a
// handler has seen it. A nil Principal has no permissions; its methods may be called.
type Principal struct {
	ID          string         `json:"id"` // the subject of the token
	Roles       []string       `json:"roles,omitempty"`
	Permissions []string       `json:"permissions,omitempty"` // besides those of the roles
	Claims      map[string]any `json:"claims,omitempty"`      // of the token, or for Issue to add to one
	ExpiresAt   time.Time      `json:"expiresAt,omitzero"`    // zero: never

	roles map[string][]string
}

// Can reports whether p has a permission, itself or through a role. "posts:*" includes
// all permissions that begin with "posts:", and "*" includes all.
func (p *Principal) Can(permission string) bool {
	if p == nil {
		return false
	}
	if grants(p.Permissions, permission) {
		return true
	}
	return slices.ContainsFunc(p.Roles, func(role string) bool { return grants(p.roles[role], permission) })
}

// HasRole reports whether p has a role.
func (p *Principal) HasRole(role string) bool { return p != nil && slices.Contains(p.Roles, role) }

func grants(held []string, permission string) bool {
	return slices.ContainsFunc(held, func(h string) bool {
		prefix, all := strings.CutSuffix(h, "*")
		return h == permission || all && (prefix == "" || strings.HasSuffix(prefix, ":") && strings.HasPrefix(permission, prefix))
	})
}

// User returns the sender of the request, or nil. A token that is not valid counts as
// none; the answer of Require then says why.
func User(c *nextrush.Context) *Principal {
	if st := stateOf(c); st != nil {
		return st.user
	}
	return nil
}

// Require lets those through who have all of the permissions; without permissions,
// everybody who is known. An unknown sender gets 401 with WWW-Authenticate, and one
// without a permission 403 (RFC 6750 §3). It panics on a permission that is empty or
// has spaces or quotes.
func Require(permissions ...string) nextrush.Handler {
	for _, permission := range permissions {
		if permission == "" || strings.ContainsFunc(permission, notInScope) {
			panic(fmt.Sprintf("auth: Require: %q is not a permission: use letters, digits and signs, as in posts:write", permission))
		}
	}
	scope := strings.Join(permissions, " ")
	return func(c *nextrush.Context) error {
		return admit(c, scope, func(p *Principal) bool {
			return !slices.ContainsFunc(permissions, func(permission string) bool { return !p.Can(permission) })
		})
	}
}

// RequireRole is like [Require], but lets those through who have one of the roles.
func RequireRole(roles ...string) nextrush.Handler {
	if len(roles) == 0 {
		panic("auth: RequireRole: give a role; Require() lets everybody through who is known")
	}
	return func(c *nextrush.Context) error {
		return admit(c, "", func(p *Principal) bool { return slices.ContainsFunc(roles, p.HasRole) })
	}
}

// notInScope reports what a scope-token of RFC 6749 §3.3 cannot have.
func notInScope(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

func admit(c *nextrush.Context, scope string, may func(*Principal) bool) error {
	st := stateOf(c)
	switch {
	case st == nil:
		return fmt.Errorf("auth: Require on %s: the plugin is not registered: add app.Register(auth.New(…)) before the route", c.Path())
	case st.user == nil:
		return st.unauthorized()
	case !may(st.user):
		return st.forbidden(scope)
	}
	return c.Next()
}

func (st *state) forbidden(scope string) error {
	challenge := `error="insufficient_scope"`
	if scope != "" {
		challenge += `, scope="` + scope + `"`
	}
	return st.challenge(http.StatusForbidden, challenge)
}

// challenge returns the error with the challenge of RFC 6750 §3.
func (st *state) challenge(status int, params string) *nextrush.HTTPError {
	value := `Bearer realm="` + st.plugin.opts.Realm + `"`
	if params != "" {
		value += ", " + params
	}
	return nextrush.NewError(status).WithHeader("WWW-Authenticate", value)
}
