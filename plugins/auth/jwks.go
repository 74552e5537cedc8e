package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush"
)

const (
	jwksFresh   = time.Hour       // until keys are fetched again
	jwksPause   = time.Minute     // between two requests, for whatever key
	jwksRetry   = time.Second / 4 // after a failure, doubled after each further one up to jwksPause
	jwksTimeout = 10 * time.Second
	jwksLimit   = 1 << 20 // bytes of an answer
)

// keySet holds the keys of a URL. Readers share the keys that were fetched last; one
// goroutine at a time fetches.
type keySet struct {
	url      string
	client   *http.Client
	current  atomic.Pointer[fetched]
	fetching chan struct{} // holds a value while a goroutine fetches; guards what follows
	notUntil time.Time     // nobody fetches before
	pause    time.Duration // after the last failure; 0: there was none
}

type fetched struct {
	at   time.Time
	keys map[keyRef][]jwt.VerificationKey
}

func newKeySet(address string, client *http.Client) (*keySet, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("JWKS: %w", err)
	}
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, fmt.Errorf("JWKS: %q: keys are fetched over https only", address)
	}
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &keySet{url: address, client: client, fetching: make(chan struct{}, 1)}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// keys returns the keys for a token; there may be none. Keys that are no longer fresh
// are used until new ones have been fetched.
func (s *keySet) keys(ctx context.Context, ref keyRef) ([]jwt.VerificationKey, error) {
	have := s.current.Load()
	if have != nil && have.keys[ref] != nil {
		if time.Since(have.at) < jwksFresh || !s.tryLock() {
			return have.keys[ref], nil
		}
		defer s.unlock()
		s.fetch(ctx)
		return s.current.Load().keys[ref], nil
	}
	if !s.lock(ctx) {
		return nil, ctx.Err()
	}
	defer s.unlock()
	err := s.fetch(ctx)
	if have = s.current.Load(); have == nil {
		return nil, nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
	}
	return have.keys[ref], nil
}

// lock waits for the right to fetch until ctx ends.
func (s *keySet) lock(ctx context.Context) bool {
	select {
	case s.fetching <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *keySet) tryLock() bool {
	select {
	case s.fetching <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *keySet) unlock() { <-s.fetching }

// fetch replaces the keys, unless that was tried a moment ago. The caller has called
// lock. It goes on if the client goes away, as others wait for the keys.
func (s *keySet) fetch(ctx context.Context) error {
	if time.Now().Before(s.notUntil) {
		return errors.New("auth: JWKS: tried a moment ago")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jwksTimeout)
	defer cancel()
	keys, err := s.load(ctx)
	if err != nil {
		s.pause = min(max(2*s.pause, jwksRetry), jwksPause)
		s.notUntil = time.Now().Add(s.pause)
		return fmt.Errorf("auth: JWKS: %w", err)
	}
	s.pause, s.notUntil = 0, time.Now().Add(jwksPause)
	s.current.Store(&fetched{time.Now(), keys})
	return nil
}

func (s *keySet) load(ctx context.Context) (map[keyRef][]jwt.VerificationKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", s.url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, jwksLimit))
	if err != nil {
		return nil, err
	}
	return parseJWKS(body)
}

// parseJWKS returns the public keys for signatures that we can use, and ignores the
// others, secrets among them (RFC 7517 §5).
func parseJWKS(body []byte) (map[keyRef][]jwt.VerificationKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	keys := make(map[keyRef][]jwt.VerificationKey)
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if parsed, err := (Key{ID: k.KeyID, Key: k.Key, Algorithm: k.Algorithm}).parse(); err == nil {
			keys[parsed.ref()] = append(keys[parsed.ref()], parsed.verify)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no usable key")
	}
	return keys, nil
}
