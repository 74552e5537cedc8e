package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	keySize   = 32   // bytes: AES-256
	maxCookie = 4096 // bytes of a cookie that browsers keep (RFC 6265 §6.1), with its attributes
	forValue  = maxCookie - 256
)

// ErrTooLarge is the error of a request that leaves more in a session than its cookie
// has room for, about 2.8 KB when encoded with gob. The client keeps the session that it
// had.
var ErrTooLarge = errors.New("session: it does not fit in a cookie: keep less in it, or use a Store instead of Keys")

// seal keeps sessions in their cookies, encrypted with the first key by AES-256-GCM with
// random nonces. It is an scs.Store for the session of one request, which is in the
// request's context.
type seal struct {
	keys []cipher.AEAD
}

// jar is the session of one request, as scs encodes it; nil: none.
type jar struct{ data []byte }

type jarKey struct{}

func newSeal(o Options) (*seal, error) {
	if o.Store != nil || len(o.Keys) == 0 {
		return nil, errors.New("Options.Keys: give one or more keys and no Store, or only a Store")
	}
	s := &seal{}
	for i, k := range o.Keys {
		if len(k) != keySize {
			return nil, fmt.Errorf("Options.Keys[%d] has %d bytes: give %d from crypto/rand", i, len(k), keySize)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

// open decrypts a cookie's value. The token is empty if the value is not ours or has
// expired; scs then begins a new session.
func (s *seal) open(ctx context.Context, name, value string) (token string, _ context.Context) {
	j := &jar{}
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	for _, k := range s.keys {
		if err != nil || len(sealed) < k.Overhead() {
			break
		}
		plain, err := k.Open(nil, nil, sealed, []byte(name))
		if err != nil || len(plain) < 8 {
			continue
		}
		if expiry := int64(binary.BigEndian.Uint64(plain)); time.Now().UnixMilli() < expiry {
			token, j.data = "sealed", plain[8:]
		}
		break
	}
	return token, context.WithValue(ctx, jarKey{}, j)
}

// close encrypts the session that scs has committed.
func (s *seal) close(ctx context.Context, name string, expiry time.Time) (value string, err error) {
	data := jarOf(ctx).data
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(data)), uint64(expiry.UnixMilli()))
	sealed := s.keys[0].Seal(nil, nil, append(plain, data...), []byte(name))
	if base64.RawURLEncoding.EncodedLen(len(sealed)) > forValue {
		return "", ErrTooLarge
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func jarOf(ctx context.Context) *jar { return ctx.Value(jarKey{}).(*jar) }

// FindCtx, CommitCtx and DeleteCtx are the methods that scs calls.
func (s *seal) FindCtx(ctx context.Context, _ string) ([]byte, bool, error) {
	data := jarOf(ctx).data
	return data, data != nil, nil
}

func (s *seal) CommitCtx(ctx context.Context, _ string, b []byte, _ time.Time) error {
	jarOf(ctx).data = b
	return nil
}

func (s *seal) DeleteCtx(ctx context.Context, _ string) error {
	jarOf(ctx).data = nil
	return nil
}

var errNoContext = errors.New("session: the session of a cookie needs its request's context")

// Find, Commit and Delete complete the scs.Store. They are not called.
func (*seal) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (*seal) Commit(string, []byte, time.Time) error { return errNoContext }
func (*seal) Delete(string) error                    { return errNoContext }
