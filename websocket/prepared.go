package websocket

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/conn"
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

func encodeJSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("websocket: encode message: %w", err)
	}
	return data, nil
}
