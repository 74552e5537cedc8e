package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/bcrypt"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
)

// cheap has low costs, for tests that are about something else.
func cheap() *auth.Passwords { return &auth.Passwords{Memory: 64, Time: 1} }

func TestAPasswordIsVerifiedWithItsOwnHashOnly(t *testing.T) {
	var p auth.Passwords
	hash := must(p.Hash(t.Context(), "correct horse"))
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash)
	}
	if again := must(p.Hash(t.Context(), "correct horse")); again == hash {
		t.Error("two hashes with one salt")
	}
	upgrade, err := p.Verify(t.Context(), hash, "correct horse")
	if err != nil || upgrade != "" {
		t.Errorf("got %q, %v", upgrade, err)
	}
	for _, wrong := range []string{"", "correct hors", "correct horse ", "Correct horse", strings.Repeat("x", 2000)} {
		if upgrade, err := p.Verify(t.Context(), hash, wrong); !errors.Is(err, auth.ErrPassword) || upgrade != "" {
			t.Errorf("%.20q: %q, %v", wrong, upgrade, err)
		}
	}
}

// The vector is one of src/test.c in the reference implementation of Argon2.
func TestHashesOfTheReferenceImplementation(t *testing.T) {
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, err := new(auth.Passwords).Verify(t.Context(), hash, "password"); err != nil {
		t.Error(err)
	}
}

func TestWeakHashesAreUpgradedByARightPassword(t *testing.T) {
	strong := &auth.Passwords{Memory: 128, Time: 2}
	for name, hash := range map[string]string{
		"bcrypt":        string(must(bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost))),
		"bcrypt of PHP": strings.Replace(string(must(bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost))), "$2a$", "$2y$", 1),
		"less memory":   must((&auth.Passwords{Memory: 64, Time: 2}).Hash(t.Context(), "pw")),
		"fewer passes":  must((&auth.Passwords{Memory: 128, Time: 1}).Hash(t.Context(), "pw")),
	} {
		if upgrade, err := strong.Verify(t.Context(), hash, "pW"); !errors.Is(err, auth.ErrPassword) || upgrade != "" {
			t.Errorf("%s, wrong password: %q, %v", name, upgrade, err)
		}
		upgrade, err := strong.Verify(t.Context(), hash, "pw")
		if err != nil || upgrade == "" {
			t.Errorf("%s: %q, %v", name, upgrade, err)
			continue
		}
		if more, err := strong.Verify(t.Context(), upgrade, "pw"); err != nil || more != "" {
			t.Errorf("%s, upgraded: %q, %v", name, more, err)
		}
	}
	if upgrade, err := cheap().Verify(t.Context(), must(strong.Hash(t.Context(), "pw")), "pw"); err != nil || upgrade != "" {
		t.Errorf("a stronger hash: %q, %v", upgrade, err)
	}
}

func TestUnknownUserIsAWrongPassword(t *testing.T) {
	for _, password := range []string{"", "pw"} {
		if upgrade, err := cheap().Verify(t.Context(), "", password); !errors.Is(err, auth.ErrPassword) || upgrade != "" {
			t.Errorf("%q: %q, %v", password, upgrade, err)
		}
	}
}

func TestATextThatIsNotAHashIsAnError(t *testing.T) {
	const salt, sum = "c29tZXNhbHRzYWx0", "AAAAAAAAAAAAAAAAAAAAAA"
	for _, hash := range []string{
		"pw", "$", "$$$$$", "$2a$", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=4294967295,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=1,p=999$" + salt + "$" + sum,
		"$argon2id$v=19$m=64,t=1,p=1$$" + sum,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 4000),
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$?",
	} {
		_, err := cheap().Verify(t.Context(), hash, "pw")
		if err == nil || errors.Is(err, auth.ErrPassword) {
			t.Errorf("%.60s: %v", hash, err)
		}
	}
	for _, password := range []string{"", strings.Repeat("x", 1025)} {
		if hash, err := cheap().Hash(t.Context(), password); err == nil {
			t.Errorf("%.10q: %s", password, hash)
		}
	}
}

func TestNothingIsHashedForAClientThatHasGone(t *testing.T) {
	p := &auth.Passwords{Memory: 64, Time: 1, Concurrent: 1}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if _, err := p.Hash(gone, "pw"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := p.Hash(t.Context(), "pw"); err != nil {
		t.Error(err)
	}
}

// bcrypt looks at 72 bytes, and repeats a shorter password after a NUL.
func TestAPasswordThatBcryptCutsOffIsNotUpgraded(t *testing.T) {
	full := strings.Repeat("a", 72)
	for hashed, tests := range map[string]map[string]bool{ // whether there is an upgrade
		full: {full: true, full + "b": false, full + strings.Repeat("b", 900): false},
		"pw": {"pw": true, "pw\x00pw": false},
	} {
		hash := string(must(bcrypt.GenerateFromPassword([]byte(hashed), bcrypt.MinCost)))
		for password, want := range tests {
			upgrade, err := cheap().Verify(t.Context(), hash, password)
			if err != nil || (upgrade != "") != want {
				t.Errorf("%d bytes for %d: %q, %v", len(password), len(hashed), upgrade, err)
			}
		}
	}
}

func TestTooManyPasswordsAtOnceAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &auth.Passwords{Memory: 64, Time: 1, Concurrent: 2, Queue: 5}
		hash := must(p.Hash(t.Context(), "pw"))
		p.Occupy()
		results := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := p.Verify(t.Context(), hash, "pw")
				results <- err
			}()
		}
		synctest.Wait()
		if len(results) != 15 {
			t.Fatalf("%d of 20 are refused", len(results))
		}
		for range 15 {
			if err := <-results; !errors.Is(err, auth.ErrBusy) || nextrush.StatusOf(err) != 503 {
				t.Errorf("refused with %v", err)
			}
		}
		p.Free()
		for range 5 {
			if err := <-results; err != nil {
				t.Errorf("one that waited: %v", err)
			}
		}
	})
}
