package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What the key-value store of NATS says of a value that was removed.
const (
	operation = "KV-Operation"
	purged    = "PURGE"
)

// entry is what is kept under a key.
type entry struct {
	value    []byte // nil: nothing
	revision uint64 // 0: nothing was kept
	at       time.Time
}

// read returns what is kept under a subject.
func (s *Store) read(ctx context.Context, subject string) (entry, error) {
	bucket, err := s.stream(ctx)
	if err != nil {
		return entry{}, err
	}
	m, err := bucket.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return entry{}, nil
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, nats.ErrNoResponders):
		s.lost(bucket)
		return entry{}, err
	case err != nil:
		return entry{}, err
	}
	e := entry{revision: m.Sequence, at: m.Time}
	if m.Header.Get(operation) == "" {
		e.value = append([]byte{}, m.Data...)
	}
	return e, nil
}

// write keeps a value, nil being nothing, and returns whether it did: with a condition it
// does not if the revision is another by now.
func (s *Store) write(ctx context.Context, subject string, value []byte, ttl time.Duration, conditions ...jetstream.PublishOpt) (bool, error) {
	bucket, err := s.stream(ctx)
	if err != nil {
		return false, err
	}
	m := nats.NewMsg(subject)
	m.Data = value
	if value == nil {
		m.Header.Set(operation, purged)
		ttl = 0
	}
	_, err = s.js.PublishMsg(ctx, m, append(conditions, jetstream.WithMsgTTL(whole(ttl)))...)
	var refused *jetstream.APIError
	switch {
	case errors.As(err, &refused) && (refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return false, nil
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		s.lost(bucket)
	}
	return err == nil, err
}

// at is the condition that the revision is still that of e.
func (e entry) unchanged() jetstream.PublishOpt {
	return jetstream.WithExpectLastSequencePerSubject(e.revision)
}

// lost has the next call look for the bucket, which somebody may have removed.
func (s *Store) lost(bucket jetstream.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == bucket {
		s.bucket = nil
	}
}

// whole rounds up to seconds, of which a server keeps at least one.
func whole(ttl time.Duration) time.Duration {
	if ttl <= time.Second {
		return time.Second
	}
	return (ttl + time.Second - 1).Truncate(time.Second)
}

// change replaces what is kept under a key by what f makes of it, until nobody else has
// changed it meanwhile. f leaves it if keep is false. Of those here who change a key at once
// all but the first take turns, for otherwise each change has all others begin again.
func (s *Store) change(ctx context.Context, key string, f func(entry) (value []byte, ttl time.Duration, keep bool)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	subject := s.subjectOf(key)
	if done, err := s.try(ctx, subject, f); done || err != nil {
		return err
	}
	end, err := s.turns.take(ctx, subject)
	if err != nil {
		return err
	}
	defer end()
	for {
		if done, err := s.try(ctx, subject, f); done || err != nil {
			return err
		}
	}
}

// try changes a key once, unless somebody else has changed it meanwhile.
func (s *Store) try(ctx context.Context, subject string, f func(entry) (value []byte, ttl time.Duration, keep bool)) (done bool, err error) {
	e, err := s.read(ctx, subject)
	if err != nil {
		return false, err
	}
	value, ttl, keep := f(e)
	if !keep {
		return true, nil
	}
	return s.write(ctx, subject, value, ttl, e.unchanged())
}
