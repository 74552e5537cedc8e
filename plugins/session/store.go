package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

// An Updater is a Store that changes a session in one step if it still has it, as that of
// plugins/session/redis does, so that no request brings back a session that another has
// ended. With any other Store the plugin ensures that itself: it keeps three entries for
// a session and reads all three with each request.
type Updater interface {
	scs.CtxStore
	// Update replaces the data of a session and its expiry, or only its expiry if b is
	// nil. If there is no such session, found is false and nothing is kept. Update must be
	// safe from any goroutine, and atomic for all processes that share the store.
	Update(ctx context.Context, token string, b []byte, expiry time.Time) (found bool, err error)
}

func updaterOf(s scs.Store, lifetime time.Duration) Updater {
	switch s := s.(type) {
	case Updater:
		return s
	case scs.CtxStore:
		return entries{s, lifetime}
	default:
		return entries{plain{s}, lifetime}
	}
}

// committing says, in the context of a commit, what the commit does; without it, the
// commit makes a session.
type committing int

const (
	changing committing = iota + 1
	touching            // sets only the expiry, as another request may have changed the data
)

var errEnded = errors.New("session: it has ended")

// keeper is the store that scs uses.
type keeper struct{ Updater }

// CommitCtx returns errEnded instead of bringing a session back.
func (k keeper) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	switch ctx.Value(committing(0)) {
	case nil:
		return k.Updater.CommitCtx(ctx, token, b, expiry)
	case touching:
		b = nil
	}
	found, err := k.Update(ctx, token, b, expiry)
	if err == nil && !found {
		err = errEnded
	}
	return err
}

// plain gives a store the methods that take a context.
type plain struct{ scs.Store }

func (p plain) FindCtx(_ context.Context, token string) ([]byte, bool, error) { return p.Find(token) }

func (p plain) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	return p.Commit(token, b, expiry)
}

func (p plain) DeleteCtx(_ context.Context, token string) error { return p.Delete(token) }

// memory is the store of one process.
type memory struct {
	plain
	mu sync.Mutex // held by Update and DeleteCtx
}

func (m *memory) DeleteCtx(_ context.Context, token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Delete(token)
}

func (m *memory) Update(_ context.Context, token string, b []byte, expiry time.Time) (found bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, found, err := m.Find(token)
	if !found || err != nil {
		return false, err
	}
	if b == nil {
		b = old
	}
	return true, m.Commit(token, b, expiry)
}

// entries makes an Updater of a store that has no conditional writes. When a session has
// ended, the entry that shows it was alive must never be written again, and a request
// that only reads must not write the data. So there are three entries: "alive" is written
// when the session begins, "seen" with every request, and the data when they change.
type entries struct {
	scs.CtxStore
	lifetime time.Duration // of a session, and so the longest of an entry
}

// entryOf returns the key of an entry. It is as long as a token, which the tables of
// scs's stores have room for.
func entryOf(token, name string) string {
	sum := sha256.Sum256([]byte(name + " " + token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func alive(token string) string { return entryOf(token, "alive") }
func seen(token string) string  { return entryOf(token, "seen") }

func (e entries) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	b, found, err = e.CtxStore.FindCtx(ctx, token)
	for _, entry := range []string{seen(token), alive(token)} {
		if found && err == nil {
			_, found, err = e.CtxStore.FindCtx(ctx, entry)
		}
	}
	return b, found, err
}

func (e entries) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	if err := e.CtxStore.CommitCtx(ctx, alive(token), []byte("alive"), time.Now().Add(e.lifetime)); err != nil {
		return err
	}
	_, err := e.Update(ctx, token, b, expiry)
	return err
}

// Update writes first and then looks whether the session is alive, so that what it writes
// is removed if the session ends meanwhile.
func (e entries) Update(ctx context.Context, token string, b []byte, expiry time.Time) (found bool, err error) {
	if b != nil {
		err = e.CtxStore.CommitCtx(ctx, token, b, time.Now().Add(e.lifetime))
	}
	if err == nil {
		err = e.CtxStore.CommitCtx(ctx, seen(token), []byte("seen"), expiry)
	}
	if err == nil {
		_, found, err = e.CtxStore.FindCtx(ctx, alive(token))
	}
	if err == nil && !found {
		err = e.DeleteCtx(ctx, token)
	}
	return found, err
}

func (e entries) DeleteCtx(ctx context.Context, token string) error {
	for _, entry := range []string{alive(token), seen(token), token} {
		if err := e.CtxStore.DeleteCtx(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}
