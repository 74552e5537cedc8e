package h1

import (
	"bytes"
	"io"
	"strings"
)

const (
	maxChunkLine = 4 << 10  // bytes of a chunk's size and extensions, with the CRLF
	maxTrailer   = 4 << 10  // bytes of the trailer, with the empty line
	maxOverhead  = 16 << 10 // bytes of chunks that are more than is usual, see chunk
)

var (
	errChunkSize  = bad("malformed chunk size")
	errChunkLine  = bad("malformed line of a chunk")
	errChunkLong  = bad("line of a chunk too long")
	errChunkEnd   = bad("chunk longer or shorter than its size")
	errOverhead   = bad("chunks have too little content")
	errTrailerBig = bad("trailer too long")

	errExtension   = stricter("malformed extension of a chunk")   // RFC 9112 §7.1.1
	errChunkBlank  = stricter("blank behind the size of a chunk") // RFC 9112 §7.1
	errChunkBig    = stricter("chunk of more than 2⁶² bytes")
	errTrailerName = stricter("space in the name of a trailer field")
)

// A state is what comes next.
type state uint8

const (
	refused state = iota
	content
	contentCR
	contentLF
	size
	extension // behind a semicolon
	extName
	extNameEnd
	extValue // behind an equals sign
	extToken
	extQuoted
	extPair // behind a backslash
	extQuotedEnd
	extValueEnd
	lineLF
	end // behind the last chunk
	endLF
	fieldLines
)

// step takes a byte that is not content (RFC 9112 §7.1).
func (b *Body) step(c byte) error {
	switch b.state {
	case contentCR, contentLF:
		return b.endChunk(c)
	case end, endLF, fieldLines:
		return b.field(c)
	}
	if b.line++; b.line > maxChunkLine {
		return errChunkLong
	}
	switch {
	case b.state == lineLF && c == '\n':
		return b.chunk()
	case b.state == lineLF || c == '\n':
		return errChunkLine
	case c == '\r':
		return b.endLine()
	case b.state == size:
		return b.size(c)
	}
	if chars[c]&valueChar != 0 {
		b.state = extensions[b.state][extClass(c)]
		if b.state != refused {
			return nil
		}
	}
	return errExtension
}

// endLine takes the CR behind a size or an extension.
func (b *Body) endLine() error {
	switch b.state {
	case size:
		if b.digits == 0 {
			return errChunkSize
		}
	case extName, extToken, extQuotedEnd:
	default:
		return errExtension
	}
	b.state = lineLF
	return nil
}

// size takes a byte of a chunk's size, or what follows it.
func (b *Body) size(c byte) error {
	switch {
	case c == ';' && b.digits > 0:
		b.state = extension
	case isBlank(c) && b.digits > 0:
		return errChunkBlank
	case !isHex(c) || b.digits == 16:
		return errChunkSize
	case b.left >= 1<<58:
		return errChunkBig
	default:
		b.left = b.left<<4 | int64(hexValue(c))
		b.digits++
	}
	return nil
}

// extensions is the grammar of extensions (RFC 9112 §7.1.1): what comes behind a byte of a
// class. It is read only to refuse what other readers might take for the end of the line.
var extensions = [...][7]state{ // token, blank, = ; " \\ others
	extension:    {extName, extension, 0, 0, 0, 0, 0},
	extName:      {extName, extNameEnd, extValue, extension, 0, 0, 0},
	extNameEnd:   {0, extNameEnd, extValue, extension, 0, 0, 0},
	extValue:     {extToken, extValue, 0, 0, extQuoted, 0, 0},
	extToken:     {extToken, extValueEnd, 0, extension, 0, 0, 0},
	extQuoted:    {extQuoted, extQuoted, extQuoted, extQuoted, extQuotedEnd, extPair, extQuoted},
	extPair:      {extQuoted, extQuoted, extQuoted, extQuoted, extQuoted, extQuoted, extQuoted},
	extQuotedEnd: {0, extValueEnd, 0, extension, 0, 0, 0},
	extValueEnd:  {0, extValueEnd, 0, extension, 0, 0, 0},
}

// extClass returns the column of c in extensions.
func extClass(c byte) int {
	switch {
	case chars[c]&tokenChar != 0:
		return 0
	case isBlank(c):
		return 1
	}
	if i := strings.IndexByte(`=;"\`, c); i >= 0 {
		return 2 + i
	}
	return 6
}

func isHex(c byte) bool { return c-'0' < 10 || lower[c]-'a' < 6 }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower[c] - 'a' + 10
}

// chunk begins with the content of a chunk. Like net/http it lets a chunk have 16 bytes
// that are not content, and as many more as twice its content.
func (b *Body) chunk() error {
	b.excess = max(0, b.excess+int64(b.line)-16-2*min(b.left, maxOverhead))
	switch {
	case b.left == 0:
		b.state = end
	case b.excess > maxOverhead:
		return errOverhead
	default:
		b.state = content
	}
	return nil
}

// endChunk takes the CRLF behind a chunk.
func (b *Body) endChunk(c byte) error {
	switch {
	case b.state == contentCR && c == '\r':
		b.state = contentLF
	case b.state == contentLF && c == '\n':
		b.state, b.line, b.digits = size, 0, 0
	default:
		return errChunkEnd
	}
	return nil
}

// field takes a byte of the trailer (RFC 9112 §7.1.2), which is nearly always empty.
func (b *Body) field(c byte) error {
	switch {
	case b.state == end && c == '\r':
		b.state = endLF
		return nil
	case b.state == endLF && c == '\n':
		return io.EOF
	case b.state == endLF:
		return errName
	}
	b.state = fieldLines
	b.block = append(b.block, c)
	switch {
	case c == '\n' && !bytes.HasSuffix(b.block, crlf):
		return errBareLF
	case bytes.HasSuffix(b.block, emptyLine):
		return b.readTrailer()
	case len(b.block) == maxTrailer:
		return errTrailerBig
	}
	return nil
}

var (
	crlf      = []byte("\r\n")
	emptyLine = []byte("\r\n\r\n")
)

// readTrailer reads the fields, which are whole.
func (b *Body) readTrailer() error {
	var f fields
	for at := 0; at < len(b.block)-2; {
		end := at + bytes.Index(b.block[at:], crlf)
		if err := f.read(b.block[:end], at); err != nil {
			return err
		}
		at = end + 2
	}
	if f.spaced {
		return errTrailerName
	}
	f.copy(b.block)
	trailer := f.from(0, 0)
	b.trailer, b.block = trailer.Header(), nil
	return io.EOF
}
