package h1

import "net/http"

// A Refusal is why a request is not taken. The connection ends with its answer, which
// may be without content.
type Refusal struct {
	Status   int    // 400, 417, 431, 501 or 505
	Reason   string // what is wrong, for the log
	Stricter bool   // whether it is for a rule that net/http does not have

	text string // what net/http says behind the status
}

// bad is a request for which net/http says no more than 400.
func bad(reason string) *Refusal { return &Refusal{Status: http.StatusBadRequest, Reason: reason} }

// stricter is a request that net/http takes and RFC 9112 lets a server refuse.
func stricter(reason string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: reason, Stricter: true}
}

// said is a request for which net/http says what is wrong.
func said(status int, text string) *Refusal {
	return &Refusal{Status: status, Reason: text, text: ": " + text}
}

var (
	errLine      = bad("malformed request line")
	errMethod    = bad("invalid method")
	errVersion   = bad("malformed HTTP version")
	errTarget    = bad("malformed request target")
	errNoColon   = bad("field without colon")
	errName      = bad("invalid field name")
	errValue     = bad("invalid field value")
	errHosts     = bad("several Host fields")
	errLengths   = bad("several Content-Length fields that differ")
	errLength    = bad("invalid Content-Length")
	errAnnounced = bad("Trailer names a field that frames the request")

	errAsterisk     = stricter("asterisk as the target of another method than OPTIONS")  // RFC 9112 §3.2.4
	errTargetByte   = stricter("byte above ASCII in the target")                         // RFC 9112 §3.2
	errEmptyHost    = stricter("empty Host")                                             // RFC 9110 §4.2.1
	errBareLF       = stricter("line ends with a bare LF")                               // RFC 9112 §2.2
	errFold         = stricter("field folded over two lines")                            // RFC 9112 §5.2
	errLengthCoding = stricter("both Content-Length and Transfer-Encoding")              // RFC 9112 §6.1
	errCodings      = stricter("transfer encodings in which chunked is not the last")    // RFC 9112 §6.3
	errOldCoding    = stricter("Transfer-Encoding in a request of a version before 1.1") // RFC 9112 §6.1

	errUnsupported = said(http.StatusHTTPVersionNotSupported, "unsupported protocol version")
	errNoHost      = said(http.StatusBadRequest, "missing required Host header")
	errHost        = said(http.StatusBadRequest, "malformed Host header")
	errSpacedName  = said(http.StatusBadRequest, "invalid header name")

	errTooLarge    = &Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "head too large"}
	errCoding      = &Refusal{Status: http.StatusNotImplemented, Reason: "unsupported transfer encoding"}
	errExpectation = &Refusal{Status: http.StatusExpectationFailed, Reason: "unknown expectation"}
)

func (r *Refusal) Error() string { return "h1: " + r.Reason }

// Append appends the answer, head and content, as net/http writes it. asked is Head.Asked
// of the refused Head, and date is the value of Date; both matter for 417 only.
func (r *Refusal) Append(dst []byte, asked Asked, date string) []byte {
	if r.Status == http.StatusExpectationFailed {
		a := Answer{Asked: asked, Status: r.Status, Length: -1, Done: true, Header: new(Snapshot)}
		a.Header.Take(http.Header{"Connection": {"close"}})
		f := a.Framing()
		return a.Append(dst, &f, "", date)
	}
	from := len(dst) + len("HTTP/1.1 ")
	dst = appendStatus(append(dst, "HTTP/1.1 "...), r.Status)
	if r.Status != http.StatusNotImplemented {
		dst = append(dst, r.text...)
	}
	status := dst[from:]
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"...)
	if r.Status == http.StatusNotImplemented {
		return append(dst, "Unsupported transfer encoding"...)
	}
	return append(dst, status...)
}
