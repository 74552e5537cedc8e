package redial

import (
	"errors"
	"fmt"
	"time"
)

// Phase is what a client does.
type Phase uint8

const (
	Idle       Phase = iota // not opened yet
	Connecting              // a try is under way
	Open                    // messages flow
	Waiting                 // for the next try
	Closed                  // it does not try again
)

// State is what a client does, with particulars.
type State struct {
	Phase   Phase
	Attempt int       // Connecting, Waiting: the number of the try, from 1
	Since   time.Time // Open
	Resumed bool      // Open
	Until   time.Time // Waiting
	Why     End       // Waiting, Closed: how the last connection or try has ended
}

// By is who has ended a connection.
type By uint8

const (
	ByUs By = iota
	ByServer
	ByNetwork
)

// End is how a connection or a try has ended.
type End struct {
	Code       int
	Reason     string
	By         By
	Status     int           // of an answer that did not upgrade; 0: there was none
	RetryAfter time.Duration // that it asks for; negative: it does not
	Final      bool
	Err        error // the failure behind it; may be nil
}

// ending is an end that no answer has told.
func ending(code int, reason string, by By) End {
	return End{Code: code, Reason: reason, By: by, RetryAfter: -1}
}

// closing is our own end, for good.
func closing(code int, reason string) End {
	end := ending(code, reason, ByUs)
	end.Final = true
	return end
}

// Ended is how a connection ended that the client did not close: by the server, by the
// network, or because the server has broken a rule.
func Ended(code int, reason string, remote bool, err error) *End {
	end := ending(code, reason, ByNetwork)
	end.Err = err
	switch {
	case remote:
		end.By, end.Final = ByServer, isFinal(code)
	case code != 1006: // 1009: the message is too long for us, and would come again
		end.By, end.Final = ByUs, code == 1009
	}
	return &end
}

// Refused is an answer that does not upgrade.
type Refused struct {
	Status     int
	Problem    bool   // the answer is application/problem+json: it is the server's own
	RetryAfter string // the header
	Err        error
}

func (r *Refused) Error() string { return fmt.Sprintf("websocket: status %d", r.Status) }

// Unwrap gives the failure behind it.
func (r *Refused) Unwrap() error { return r.Err }

// failure is the end of a try that got no connection. A status is final only if the
// server says it, and not something in front of it.
func failure(err error, now time.Time) End {
	r, ok := errors.AsType[*Refused](err)
	if !ok {
		end := ending(1006, err.Error(), ByNetwork)
		end.Err = err
		return end
	}
	end := ending(1006, fmt.Sprint("status ", r.Status), ByServer)
	end.Status, end.Err = r.Status, r.Err
	end.Final = r.Problem && r.Status < 500 && isFinal(4000+r.Status)
	if r.Status == 429 || r.Status == 503 {
		end.RetryAfter = retryAfter(r.RetryAfter, now)
	}
	return end
}

// Why something was not sent.
var (
	ErrFull     = errors.New("websocket: too much waits to be sent")
	ErrTooBig   = errors.New("websocket: message is longer than the server takes")
	ErrVolatile = errors.New("websocket: volatile message cannot be sent now")
	ErrTooOld   = errors.New("websocket: message has waited for too long")
	ErrClosed   = errors.New("websocket: client is closed")
	errOver     = errors.New("websocket: session has ended")
)

// ErrNoCredential tells that no credential is to be had.
var ErrNoCredential = errors.New("websocket: no credential")

// Ran tells whether a request may have been carried out.
type Ran uint8

const (
	Unknown Ran = iota
	No
	Yes
)

// Lost is the error of a request whose connection was lost.
type Lost struct {
	Ran Ran
	Err error // why it was not sent; nil: it was
}

func (e *Lost) Error() string { return "websocket: request lost" }

// TimedOut is the error of a request that was not answered in time.
type TimedOut struct{ Sent bool }

func (e *TimedOut) Error() string { return "websocket: no reply in time" }

// Refusal is an error reply.
type Refusal struct {
	Message string
	Errors  any
}

func (e *Refusal) Error() string { return e.Message }
