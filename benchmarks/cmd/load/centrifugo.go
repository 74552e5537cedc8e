package main

import (
	"bytes"
	"fmt"
	"strings"
)

// centrifugoPath is where Centrifugo takes WebSockets in its JSON protocol.
const centrifugoPath = "/connection/websocket"

// joinCentrifugo connects and subscribes to a channel.
func (p *peer) joinCentrifugo(channel string) error {
	p.buf = make([]byte, 4096)
	defer func() { p.buf, p.have = nil, 0 }()
	commands := []string{`{"id":1,"connect":{}}`, fmt.Sprintf(`{"id":2,"subscribe":{"channel":%q}}`, channel)}
	for i, command := range commands {
		if _, err := p.Write(clientFrame(fin|opText, []byte(command))); err != nil {
			return err
		}
		f, err := p.next()
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(`{"id":%d,%q:{`, i+1, []string{"connect", "subscribe"}[i]); !strings.HasPrefix(string(f.payload), want) {
			return fmt.Errorf("centrifugo answers %s with %.100q", command, f.payload)
		}
	}
	return nil
}

// asCentrifugo makes the message one that a client publishes to a channel. It arrives with
// something about its sender behind it.
func (m *message) asCentrifugo(channel string) {
	data := append(append([]byte{'"'}, bytes.ReplaceAll(m.text, []byte{'"'}, []byte{'.'})...), '"')
	m.sent = clientFrame(fin|opText, fmt.Appendf(nil, `{"id":3,"publish":{"channel":%q,"data":%s}}`, channel, data))
	m.text = fmt.Appendf(nil, `{"push":{"channel":%q,"pub":{"data":%s`, channel, data)
	m.lines, m.wrapped = true, 256
}

// inLines counts the messages among the lines of a frame. The others are pings, and answers
// to the sender.
func (m message) inLines(f frame) (n int, ok bool) {
	for line := range bytes.Lines(f.payload) {
		switch line = bytes.TrimSpace(line); {
		case bytes.HasPrefix(line, m.text):
			n++
		case string(line) == "{}" || string(line) == `{"id":3,"publish":{}}`:
		default:
			return n, false
		}
	}
	return n, f.first == fin|opText
}
