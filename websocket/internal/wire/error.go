package wire

import "strconv"

// Close codes that this package's errors carry, RFC 6455 section 7.4.1.
const (
	codeProtocolError  = 1002
	codeNoStatus       = 1005
	codeInvalidPayload = 1007
)

// Error is a peer's breach of the protocol, with the close code that answers it.
// The package's errors are shared values: compare them, do not change them.
type Error struct {
	Code   uint16
	Reason string
}

// Error implements the error interface.
func (e *Error) Error() string {
	return "websocket: " + e.Reason + " (close code " + strconv.Itoa(int(e.Code)) + ")"
}

// What ParseHeader and ParseClose fail with.
var (
	ErrReservedBits      = &Error{codeProtocolError, "reserved bit set"}
	ErrReservedOpcode    = &Error{codeProtocolError, "reserved opcode"}
	ErrFragmentedControl = &Error{codeProtocolError, "fragmented control frame"}
	ErrLongControl       = &Error{codeProtocolError, "control frame over 125 bytes"}
	ErrLengthOverflow    = &Error{codeProtocolError, "frame length with the top bit set"}
	ErrLengthNotMinimal  = &Error{codeProtocolError, "frame length not in its shortest form"}
	ErrClosePayload      = &Error{codeProtocolError, "close payload of one byte"}
	ErrCloseCode         = &Error{codeProtocolError, "invalid close code"}
	ErrCloseReason       = &Error{codeInvalidPayload, "close reason is not UTF-8"}
)
