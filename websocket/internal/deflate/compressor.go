package deflate

// dictBits is the size of the window that a Compressor refers to: 8 KiB.
const dictBits = 13

// Compressor compresses the messages of one socket with context takeover: each
// may refer to the ones before it (RFC 7692 section 7.2.3.2). Between messages
// it keeps no more than the last 8 KiB of them. It is not safe for use by
// several goroutines at once: messages must be sent in the order in which they
// were compressed.
type Compressor struct {
	level, bits int
	window      Window
}

// NewCompressor returns a Compressor; level and windowBits are those of
// [Compress], except that small windows use their fixed level sooner.
func NewCompressor(level, windowBits int) *Compressor {
	bits := checkBits(windowBits)
	return &Compressor{
		level:  checkLevel(level),
		bits:   bits,
		window: Window{Bits: min(bits, dictBits)},
	}
}

// Compress appends the compressed form of the next message to dst, in the form
// of the function [Compress].
func (c *Compressor) Compress(dst, message []byte) []byte {
	dst = compress(dst, message, c.window.Bytes(), c.level, c.bits)
	c.window.Append(message)
	return dst
}
