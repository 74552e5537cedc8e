package session_test

import (
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/plugins/session/internal/storetest"
)

// slow is a store elsewhere, with no other methods than those of scs.Store.
type slow struct{ store scs.Store }

func (s slow) Find(token string) ([]byte, bool, error) {
	<-time.After(time.Millisecond)
	return s.store.Find(token)
}

func (s slow) Commit(token string, b []byte, expiry time.Time) error {
	<-time.After(time.Millisecond)
	return s.store.Commit(token, b, expiry)
}

func (s slow) Delete(token string) error {
	<-time.After(time.Millisecond)
	return s.store.Delete(token)
}

func TestMemoryKeepsWhatEndedAndWhatChanged(t *testing.T) {
	storetest.Run(t, session.Options{})
}

func TestAnyStoreKeepsWhatEndedAndWhatChanged(t *testing.T) {
	store := slow{memstore.New()}
	storetest.Run(t, session.Options{Store: store}, session.Options{Store: store})
}
