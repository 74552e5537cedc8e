// Package h1 is HTTP/1.1 as a server speaks it, as bytes in and values out: the head
// of a request, its body, and the head of the answer (RFC 9110, RFC 9112). It does no
// I/O, has no clock and starts no goroutine. Its functions are safe from any goroutine,
// its types are not.
//
// What it takes means what it means to net/http, field by field, and what it writes is
// what net/http writes. It takes less than net/http, for a message that two readers
// could understand differently is refused. Refusal.Stricter is set for these:
//
//   - a line that ends with a bare LF, in the head or in the trailer
//   - a folded field, in the head or in the trailer
//   - Content-Length beside Transfer-Encoding, and Transfer-Encoding in HTTP/1.0
//   - transfer encodings of which chunked is not the last, which are 400 and not 501
//   - an empty Host in HTTP/1.1, unless the target has one
//   - the target * of another method than OPTIONS, and bytes above ASCII in a target
//   - a blank behind the size of a chunk, a malformed extension, a size above 2⁶²
//   - a space in the name of a trailer field
//
// The head of a request comes first. Parse is called with what has been read, again
// with more until the head is whole:
//
//	n, whole, err := head.Parse(buf, from, maxHeaderBytes)
//	switch {
//	case err == h1.ErrElsewhere:    // legal, and left to net/http: buf goes there from its start
//	case err != nil:                // a *Refusal: write its Append, read no more, close
//	case !whole:                    // read more behind buf, then Parse again with from = n
//	default:                        // the body begins at buf[n:]
//	}
//	head.Request(req, new(url.URL)) // the http.Request, whose Header is that of head.Fields
//
// The bytes behind it are the body's, which says where it ends:
//
//	body := head.Body()
//	data, n, err := body.Next(buf)  // data is a part of buf[:n]; io.EOF is the end
//
// An Answer is what the handler has said. Its Framing is what becomes of that:
//
//	f := answer.Framing()
//	if f.Sniff {
//		ctype = http.DetectContentType(content)
//	}
//	buf = answer.Append(buf, &f, ctype, date)
package h1
