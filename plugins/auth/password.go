package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/nextrush/nextrush"
)

const (
	saltSize    = 16 // bytes, as RFC 9106 §4 has it
	hashSize    = 32
	maxPassword = 1024 // bytes
	maxBcrypt   = 72   // bytes that bcrypt looks at
	queued      = 64   // calls that may wait for each that hashes: under 2 s with the default costs
)

// ErrBusy is wrapped by the error of Hash and Verify, a 503, if too many other calls
// wait already.
var ErrBusy = errors.New("auth: too many passwords are being hashed")

// ErrPassword is the error of a wrong password.
var ErrPassword = errors.New("auth: wrong password")

// Passwords hashes passwords with argon2id (RFC 9106). The zero value has the
// costs that OWASP's Password Storage Cheat Sheet names first. It must not be
// copied after use; its methods are safe from any goroutine.
type Passwords struct {
	Memory     uint32 // KiB for one hash; 0: 19 MiB
	Time       uint32 // passes over the memory; 0: 2
	Threads    uint8  // 0: 1
	Concurrent int    // calls that hash at a time, so that logins do not take all memory; 0: GOMAXPROCS
	Queue      int    // further calls that may wait; any more fail with ErrBusy, a 503; 0: 64 times Concurrent

	once    sync.Once
	slots   chan struct{}
	waiting chan struct{}
}

// costs are the parameters of a hash.
type costs struct {
	memory, time uint32
	threads      uint8
}

func (p *Passwords) costs() costs {
	c := costs{p.Memory, p.Time, p.Threads}
	if c.memory == 0 {
		c.memory = 19 << 10
	}
	if c.time == 0 {
		c.time = 2
	}
	if c.threads == 0 {
		c.threads = 1
	}
	return c
}

// Hash returns the hash of a password to store, with its salt and costs. It is an
// error if the password is empty or has more than 1 KiB.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", fmt.Errorf("auth: a password must have 1 to %d bytes", maxPassword)
	}
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	return p.hash(password), nil
}

func (p *Passwords) hash(password string) string {
	c := p.costs()
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads, b64(salt), b64(sum))
}

// Verify compares a password with a stored hash, of Hash or of bcrypt. If the password
// is wrong, the error is ErrPassword. If the stored hash is weaker than Hash would make
// it now, upgrade is the hash to store instead; otherwise it is empty. It is also empty
// if the password has more than the 72 bytes that bcrypt looks at, as the rest of it may
// be wrong. For a user who does not exist pass an empty hash: the call takes as long and
// fails with ErrPassword.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (upgrade string, err error) {
	if len(password) > maxPassword {
		return "", ErrPassword
	}
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	switch {
	case hash == "":
		p.hash(password)
		return "", ErrPassword
	case strings.HasPrefix(hash, "$2"):
		return p.verifyBcrypt(hash, password)
	}
	return p.verifyArgon2(hash, password)
}

func (p *Passwords) verifyBcrypt(hash, password string) (string, error) {
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return "", ErrPassword
	}
	if err != nil {
		return "", fmt.Errorf("auth: %w", err)
	}
	// Up to a NUL, too, what is repeated after it makes no difference.
	if len(password) > maxBcrypt || strings.ContainsRune(password, 0) {
		return "", nil
	}
	return p.hash(password), nil
}

func (p *Passwords) verifyArgon2(hash, password string) (string, error) {
	c, salt, want, err := parseHash(hash)
	if err != nil {
		return "", err
	}
	got := argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, uint32(len(want)))
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return "", ErrPassword
	}
	if now := p.costs(); c.memory < now.memory || c.time < now.time || len(want) < hashSize {
		return p.hash(password), nil
	}
	return "", nil
}

// parseHash reads the PHC string format. Costs far above any in use are an error, as
// whoever can write a hash could otherwise use up the machine's memory.
func parseHash(hash string) (c costs, salt, sum []byte, err error) {
	bad := func() (costs, []byte, []byte, error) {
		return costs{}, nil, nil, errors.New("auth: the stored text is not a hash of argon2id or bcrypt")
	}
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad()
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil {
		return bad()
	}
	if c.memory > 1<<20 || c.time < 1 || c.time > 100 || c.threads < 1 {
		return bad()
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 128 {
		return bad()
	}
	return c, salt, sum, nil
}

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func (p *Passwords) enter(ctx context.Context) error {
	p.once.Do(func() {
		n := cmp.Or(max(0, p.Concurrent), runtime.GOMAXPROCS(0))
		p.slots = make(chan struct{}, n)
		p.waiting = make(chan struct{}, cmp.Or(max(0, p.Queue), queued*n))
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.waiting <- struct{}{}:
		defer func() { <-p.waiting }()
	default:
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(ErrBusy).WithHeader("Retry-After", "1")
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Passwords) leave() { <-p.slots }
