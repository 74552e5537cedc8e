package websocket

import (
	"errors"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Prepared is a message encoded once for any number of sockets: framed once,
// and compressed at most once for each window size. It is safe from any
// goroutine and never changes.
type Prepared struct {
	Type   MessageType
	frame  conn.Frame
	binary *conn.Frame // of an event, for peers that take bytes; nil: none
}

// Prepare encodes v as Send does. Its error is that of encoding/json.
func Prepare(v any) (*Prepared, error) {
	if p, ok := v.(*Prepared); ok {
		return p, p.check()
	}
	t, data, err := encode(v)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: t}
	p.frame.Set(t.opcode(), data)
	return p, nil
}

func (p *Prepared) check() error {
	if p == nil || !p.frame.IsSet() {
		return errors.New("websocket: message was not made by Prepare")
	}
	return nil
}

// prepareEvent encodes an event for any number of sockets, of which some may take bytes.
func prepareEvent(env envelope.Out, args []any) (*Prepared, error) {
	text, err := env.Text(args)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: Text}
	p.frame.Set(wire.OpText, text)
	if _, ok := envelope.LastBytes(args); ok {
		data, ok, err := env.Binary(args)
		if err != nil {
			return nil, err
		}
		if ok {
			p.binary = new(conn.Frame)
			p.binary.Set(wire.OpBinary, data)
		}
	}
	return p, nil
}

// frameFor is the message in the form that the socket's peer takes.
func (p *Prepared) frameFor(s *Socket) *conn.Frame {
	if p.binary != nil && s.takesBytes() {
		return p.binary
	}
	return &p.frame
}
