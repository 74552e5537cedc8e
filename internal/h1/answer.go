package h1

import (
	"net/http"
	"strconv"
	"strings"
)

// ContinueHead is the answer that a client waits for before it sends a body, if Head.Continue.
const ContinueHead = "HTTP/1.1 100 Continue\r\n\r\n"

// An Answer is what is known of an answer when its head has to be written: at the first
// Flush, when more content has come than is held back (2,048 bytes in net/http), or when
// the handler has returned.
type Answer struct {
	Asked  Asked
	Status int       // 200 to 999, or 101
	Header *Snapshot // as it was at WriteHeader; nil: it was empty
	Length int64     // what DeclaredLength said of it

	Size int  // bytes of content that have been held back, and follow the head
	Done bool // whether that is all of it

	Close       bool // whether the connection ends with this answer for a reason of the server's: Expect, a broken body, an early end
	NoKeepAlive bool // whether the server ends all connections
	TooLarge    bool // whether more of the request's body is unread than is worth reading
}

// DeclaredLength returns the Content-Length that a handler has set, or -1. If ok is false
// it is invalid, and is to be logged and deleted from the handler's header, though not from the
// Snapshot.
func DeclaredLength(header http.Header) (n int64, ok bool) {
	v := first(header["Content-Length"])
	if v == "" {
		return -1, true
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return -1, false
	}
	return n, true
}

// Framing is how an answer is sent, which decides where it ends.
type Framing struct {
	Length  int64 // the content's bytes, or -1: a handler must write neither more nor, if HasBody, less
	HasBody bool  // whether what the handler writes is sent; not for HEAD, 1xx, 204, 304
	Chunked bool  // whether it is sent in chunks
	Close   bool  // whether the connection ends behind it
	Sniff   bool  // whether Append wants a Content-Type for the content

	Conflict bool     // whether a Content-Length was dropped for the Transfer-Encoding beside it: to be logged
	Trailers []string // the names that the header announces for AppendTrailer

	without    uint8  // names of the handler's header that are not sent
	counted    bool   // whether Length is sent beside the handler's header
	dated      bool   // whether there is a Date in it
	connection string // what Connection is sent beside it
}

const (
	withoutConnection = 1 << optConnection
	withoutLength     = 1 << optLength
	withoutType       = 1 << optType
	withoutCoding     = 1 << optCoding
)

// nothing is the header of a handler that has set no field.
var nothing Snapshot

// Framing decides how the answer is sent, as net/http does. It can be asked again after
// Close or TooLarge has been set because of what it said.
func (a *Answer) Framing() Framing {
	allowed := bodyAllowed(a.Status)
	f := Framing{Length: a.Length, HasBody: allowed && !a.Asked.Head}
	said := &a.header().said
	f.Trailers = said.trailers
	if a.Done && allowed && !said.length && said.coding == "" && !said.trailer && (!a.Asked.Head || a.Size > 0) {
		f.Length, f.counted = int64(a.Size), true
	}
	f.dated = said.date
	f.Sniff = a.Size > 0 && allowed && !said.ctype && said.coding == "" && said.encoding == ""
	f.keep(a, said)
	f.suppress(a.Status)
	f.code(a, said.coding)
	f.end(a, said)
	return f
}

func (a *Answer) header() *Snapshot {
	if a.Header == nil {
		return &nothing
	}
	return a.Header
}

func first(values []string) string {
	if len(values) > 0 {
		return values[0]
	}
	return ""
}

// bodyAllowed reports whether an answer with this status has content (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// badTrailer reports whether a field must not come after the content (RFC 9110 §6.5.1).
func badTrailer(name string) bool {
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range",
		"Content-Type", "Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate",
		"Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Trailer", "Transfer-Encoding", "Www-Authenticate":
		return true
	}
	return strings.HasPrefix(name, "If-")
}

// keep decides whether the connection goes on, but for what the length has to do with it.
func (f *Framing) keep(a *Answer, said *sayings) {
	switch {
	case a.Asked.KeepAlive && (a.Asked.Head || f.Length >= 0 || !bodyAllowed(a.Status)):
		if !said.connected {
			f.connection = "keep-alive"
		}
	case a.Asked.Minor < 1 || a.Asked.Close:
		f.Close = true
	}
	f.Close = f.Close || a.Close || a.NoKeepAlive || said.connection == "close"
	if a.TooLarge && !f.Close {
		f.Close = true
		f.without |= withoutConnection
		f.connection = "close"
	}
}

// suppress drops what an answer without content does not have.
func (f *Framing) suppress(status int) {
	if bodyAllowed(status) {
		return
	}
	f.without |= withoutLength | withoutCoding
	if status == http.StatusNotModified {
		f.without |= withoutType
	}
}

// code decides where the content ends: by its length, by chunks or by the connection
// (RFC 9112 §6.3).
func (f *Framing) code(a *Answer, coding string) {
	counted := f.Length >= 0
	if counted && coding != "" && coding != "identity" {
		f.Conflict = true
		counted = false
	}
	if !counted {
		f.without |= withoutLength
	}
	switch {
	case !f.HasBody || counted:
		f.without |= withoutCoding
	case a.Asked.Minor < 1 || coding == "identity":
		f.without |= withoutCoding
		f.Close = true
	default:
		f.Chunked = true
		if coding == "chunked" {
			f.without |= withoutCoding
		}
	}
}

// end says Connection: close, unless the handler or a switch of protocols has said more.
func (f *Framing) end(a *Answer, said *sayings) {
	switch {
	case !f.Close:
	case !a.NoKeepAlive && f.without&withoutConnection == 0 && hasWord(said.connection, "close"):
	case a.Status == http.StatusSwitchingProtocols && f.switches(said):
	default:
		f.without |= withoutConnection
		if a.Asked.Minor > 0 {
			f.connection = "close"
		}
	}
}

// switches reports whether the answer says to which protocol (RFC 9110 §7.8).
func (f *Framing) switches(said *sayings) bool {
	return said.upgrade && said.upgrades && f.without&withoutConnection == 0
}
