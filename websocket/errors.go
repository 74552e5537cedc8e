package websocket

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nextrush/nextrush/websocket/internal/conn"
)

// StatusCode is a close code (RFC 6455 §7.4).
type StatusCode uint16

// Close codes of RFC 6455 §7.4.1 and the IANA registry.
const (
	StatusNormalClosure           StatusCode = 1000
	StatusGoingAway               StatusCode = 1001
	StatusProtocolError           StatusCode = 1002
	StatusUnsupportedData         StatusCode = 1003
	StatusNoStatusRcvd            StatusCode = 1005 // never on the wire
	StatusAbnormalClosure         StatusCode = 1006 // never on the wire
	StatusInvalidFramePayloadData StatusCode = 1007
	StatusPolicyViolation         StatusCode = 1008
	StatusMessageTooBig           StatusCode = 1009
	StatusMandatoryExtension      StatusCode = 1010
	StatusInternalError           StatusCode = 1011
	StatusServiceRestart          StatusCode = 1012
	StatusTryAgainLater           StatusCode = 1013
	StatusBadGateway              StatusCode = 1014
)

// Errors that callers branch on.
var (
	// ErrClosed is returned by operations on a socket that is closing or closed.
	ErrClosed = conn.ErrClosed
	// ErrSlowConsumer is returned when a message did not fit in the send queue
	// and the policy closed the socket.
	ErrSlowConsumer = conn.ErrSlow
	// ErrDropped is returned when DropNewest discarded the message.
	ErrDropped = conn.ErrDropped
	// ErrRoomLimit is returned by Join when a limit on rooms is reached.
	ErrRoomLimit = errors.New("websocket: room limit reached")
	// ErrRoomName is returned by Join for an empty name or one over 256 bytes.
	ErrRoomName = errors.New("websocket: room name must have 1 to 256 bytes")
	// ErrMessageType is returned for a Message that is neither Text nor Binary.
	ErrMessageType = errors.New("websocket: message is neither text nor binary")
	// ErrTooManyRequests is returned by Request when 1,024 replies are awaited.
	ErrTooManyRequests = errors.New("websocket: too many outstanding requests")
	// ErrReplied is returned by Reply and ReplyError for an event that has been answered.
	ErrReplied = errors.New("websocket: the event has been answered")
	// ErrInCallback is returned by Request and Receive in a callback of the same
	// socket: what they wait for is read when the callback has returned.
	ErrInCallback = errors.New("websocket: a callback of the socket cannot wait for its next message: use a goroutine")
	// ErrBrokerDown says that the Broker cannot be reached. From Send, Emit and their like:
	// the queue for it is full, so nobody gets an event that a room keeps, and of another
	// message other nodes get nothing. From [Emitter.EmitContext] also: it waited for long
	// enough, and the event may have come or not. From History and its like: it is not known.
	ErrBrokerDown = errors.New("websocket: the broker cannot be reached")
	// ErrTooLarge is returned by Send, Emit and their like for a message to sockets of other
	// nodes that is larger than the Broker takes: nobody has got it.
	ErrTooLarge = errors.New("websocket: the message is larger than the broker takes: nobody has got it")
	// ErrServerClosed is returned to upgrades after Shutdown or Close.
	ErrServerClosed = errors.New("websocket: server is shutting down")
)

// CloseError tells how a socket ended. Returned from a handler, it closes the
// socket with its code and reason.
type CloseError struct {
	Code   StatusCode
	Reason string // at most 123 bytes reach the peer (RFC 6455 §5.5)
	Remote bool   // the peer sent it
	Err    error  // the failure behind an abnormal closure; may be nil
}

func (e *CloseError) Error() string {
	text := fmt.Sprintf("websocket: closed by us with %d", e.Code)
	switch {
	case e.Remote:
		text = fmt.Sprintf("websocket: closed by the peer with %d", e.Code)
	case e.Code == StatusAbnormalClosure:
		text = "websocket: connection lost (1006)"
	}
	if e.Reason != "" {
		text += fmt.Sprintf(" %q", e.Reason)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the failure behind it, or nil.
func (e *CloseError) Unwrap() error { return e.Err }

// Is says that it is ErrClosed, whatever is behind it.
func (e *CloseError) Is(target error) bool { return target == ErrClosed }

// HandshakeError is an upgrade that was refused, or, from Dial, a server's
// answer that does not upgrade.
type HandshakeError struct {
	Status  int
	Message string
	Header  http.Header // to be sent, or as received; may be nil
	Body    []byte      // as received, up to 4 KiB
	Err     error
}

func (e *HandshakeError) Error() string {
	text := fmt.Sprintf("websocket: handshake: %d %s", e.Status, e.Message)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *HandshakeError) Unwrap() error { return e.Err }
