package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
)

type credentials struct {
	Name     string `form:"name" json:"name" validate:"required,max=64"`
	Password string `form:"password" json:"password" validate:"required,max=1024"`
}

// users stands for a table in a database.
type users struct {
	passwords auth.Passwords

	mu   sync.Mutex // guards what follows
	hash map[string]string
	role map[string]string
}

// newUsers returns ann, who may write, bob, who may read, and root, who may do
// anything. The passwords are correct-horse, battery-staple and swordfish; ann's hash
// is one of bcrypt until she logs in.
func newUsers() *users {
	return &users{
		hash: map[string]string{
			"ann":  "$2a$10$GQSePBb1cM13y5CyL/r7lONq3y4dWdwZAieE5UCA5FK2fLJawxeEa",
			"bob":  "$argon2id$v=19$m=19456,t=2,p=1$XBz0d1Kalbo6xWLtwWT3Og$5r7shGQgLA7jKdbuyGR/1qaZMok3jexQX2WOtbY2/Ic",
			"root": "$argon2id$v=19$m=19456,t=2,p=1$cOYjwlJjCDNMI/45bsSA0g$LrUhlC2nEcaWnB9KogyZDXHNtsRSvBUlzGXBgawGH/I",
		},
		role: map[string]string{"ann": "writer", "bob": "reader", "root": "admin"},
	}
}

// check returns the user with the request's name and password; if there is none, the
// error is a 401.
func (u *users) check(c *nextrush.Context) (auth.Principal, error) {
	var in credentials
	if err := c.Bind(&in); err != nil {
		return auth.Principal{}, err
	}
	if err := u.verify(c.Context(), in); errors.Is(err, auth.ErrPassword) {
		return auth.Principal{}, nextrush.NewError(http.StatusUnauthorized, "wrong name or password")
	} else if err != nil {
		return auth.Principal{}, err
	}
	return auth.Principal{ID: in.Name, Roles: []string{u.role[in.Name]}}, nil
}

func (u *users) verify(ctx context.Context, in credentials) error {
	u.mu.Lock()
	hash := u.hash[in.Name] // empty for a stranger, which takes as long
	u.mu.Unlock()
	upgrade, err := u.passwords.Verify(ctx, hash, in.Password)
	if err == nil && upgrade != "" {
		u.mu.Lock()
		if u.hash[in.Name] == hash { // unless the password has changed since
			u.hash[in.Name] = upgrade
		}
		u.mu.Unlock()
	}
	return err
}
