package transport

import (
	"errors"
	"testing"
)

// A peer may ask for any number of key updates (RFC 8446 §4.6.3) while we have
// nothing to write.
func TestAnswersToKeyUpdatesAreBounded(t *testing.T) {
	p := &polledTLS{}
	answer := make([]byte, 27)
	var err error
	for range 10000 {
		if _, err = p.collect(answer); err != nil {
			break
		}
	}
	if !errors.Is(err, errKeyUpdates) || len(*p.sealed) > maxAnswers {
		t.Errorf("%d bytes wait, error is %v", len(*p.sealed), err)
	}
}
