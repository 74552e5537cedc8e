package main

import (
	"bytes"
	"testing"
	"time"
)

func TestMessagesAreDueByTheClock(t *testing.T) {
	p := paced{rate: 200}
	if got := p.due(50); got != 250*time.Millisecond {
		t.Errorf("message 50 of 200 a second is due after %v", got)
	}
}

func TestAnswersBelongToTheMessageSentThere(t *testing.T) {
	turn := paced{peers: make([]*peer, 10)}
	if got := turn.number(3, 2); got != 23 {
		t.Errorf("third echo on connection 3 of 10 is of message %d, want 23", got)
	}
	room := paced{peers: make([]*peer, 10), one: true}
	if got := room.number(3, 2); got != 2 {
		t.Errorf("third delivery in a room is of message %d, want 2", got)
	}
}

func TestQueuedAddsBothEndsOfAPort(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt
   0: 0100007F:1F90 0100007F:C001 01 00000100:00000002 00:00000000 00000000
   1: 0100007F:C001 0100007F:1F90 01 00000000:00000030 00:00000000 00000000
   2: 0100007F:1F90 0100007F:C002 01 0000FFFF:00000000 00:00000000 00000000
`
	if got := queued([]byte(table), 0xC001); got != 0x132 {
		t.Errorf("got %#x bytes, want 0x132", got)
	}
}

func TestAnswered(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX-Left: 9\r\n\r\n"
	for _, c := range []struct {
		name, got string
		want      int
		fails     bool
	}{
		{"waits for the headers", "HTTP/1.1 200 OK\r\nX-", 0, false},
		{"waits for the body", head + "hel", 0, false},
		{"takes a whole answer", head + "hello", 1, false},
		{"takes pipelined answers, and waits for the rest", head + "hello" + head + "hello" + head + "he", 2, false},
		{"refuses another body", head + "hullo", 0, true},
		{"refuses more than the body", head + "hello!", 0, true},
		{"refuses another status", "HTTP/1.1 429 Too Many\r\n\r\nhello", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &peer{buf: make([]byte, answerRoom)}
			p.have = copy(p.buf, c.got)
			n, err := p.answered([]byte("hello"))
			if n != c.want || (err != nil) != c.fails {
				t.Errorf("got %d, %v", n, err)
			}
		})
	}
}

func TestOneTurnInAHundredIsSlow(t *testing.T) {
	p := paced{bytes: []byte("fast"), slow: []byte("slow"), got: []int{0, 99, 100, 101}}
	for i, want := range []string{"slow", "slow", "fast", "fast"} {
		if got := string(p.next(i)); got != want {
			t.Errorf("connection %d sends %s in turn %d", i, got, p.got[i])
		}
	}
}

func TestEventsAreCountedInChunks(t *testing.T) {
	p := &peer{buf: []byte("9\r\ndata: x\n\n\r\n12\r\ndata: x\n\ndata: x\n\n\r\n9\r\ndat")}
	p.have = len(p.buf)
	if n := p.events([]byte("data: x\n\n")); n != 3 || !bytes.HasSuffix(p.buf[:p.have], []byte("dat")) {
		t.Errorf("%d events, and %q left", n, p.buf[:p.have])
	}
}
