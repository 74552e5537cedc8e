package main

import (
	"bytes"
	"fmt"
)

// socketIOPath asks for Engine.IO protocol 4 on a WebSocket from the start.
const socketIOPath = "/socket.io/?EIO=4&transport=websocket"

// joinSocketIO exchanges the packets that precede events: Engine.IO's open (0) from the
// server, and Socket.IO's connect (40) in both directions. early is what came with the
// handshake.
func (p *peer) joinSocketIO(early []byte) error {
	p.buf = make([]byte, 4096)
	p.have = copy(p.buf, early)
	defer func() { p.buf = nil }()
	if err := p.expect("0{"); err != nil {
		return err
	}
	if _, err := p.Write(clientFrame(fin|opText, []byte("40"))); err != nil {
		return err
	}
	if err := p.expect("40{"); err != nil {
		return err
	}
	if p.have > 0 {
		return fmt.Errorf("socket.io sends more: %.40q", p.buf[:p.have])
	}
	return nil
}

func (p *peer) expect(packet string) error {
	f, err := p.next()
	if err == nil && !bytes.HasPrefix(f.payload, []byte(packet)) {
		err = fmt.Errorf("socket.io sends %.40q, not %s", f.payload, packet)
	}
	return err
}

// socketIOEvent returns an event with text as its only argument.
func socketIOEvent(event string, text []byte) []byte {
	return fmt.Appendf(nil, `42["%s","%s"]`, event, text)
}
