package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const (
	askNodes = 10
	askEach  = 100 // sockets of a node
	askTimes = 500
	askFew   = 100 // times, of what is slow
)

// ask asks ten nodes, kills one and asks on.
func (b *bench) ask() error {
	fmt.Printf("\n## Asking 10 nodes of 100 sockets each\n\n| server | what | p50 ms | p99 ms | longest ms |\n|---|---|---:|---:|---:|\n")
	for _, server := range b.among("redis", "nats", "socket.io") {
		if err := b.askFleet(server); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) askFleet(server string) error {
	f, err := b.start(server, askNodes, bothCores)
	if err != nil {
		return err
	}
	defer f.close()
	ops, times := []string{"count", "sockets", "disconnect"}, askTimes
	if server == "socket.io" {
		ops, times = []string{"fetchSockets"}, askFew
	}
	sockets, err := f.fill(askEach)
	if err != nil {
		return err
	}
	defer closeAll(sockets)
	for _, op := range ops {
		if err := f.askFor(op, times); err != nil {
			return err
		}
	}
	return f.askOfTheDead(ops[0])
}

// fill connects sockets to each node. The numbers of their users go round the nodes.
func (f *fleet) fill(n int) (sockets []*websocket.Socket, err error) {
	for i := range n * len(f.nodes) {
		s, err := f.dial(f.nodes[i%len(f.nodes)], fmt.Sprintf("room=all&user=u%d", i))
		if err != nil {
			closeAll(sockets)
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func closeAll(sockets []*websocket.Socket) {
	for _, s := range sockets {
		s.Close(0, "")
	}
}

func (f *fleet) askFor(op string, times int) error {
	var warm, answers []answer
	if op != "disconnect" {
		if err := f.nodes[0].get(fmt.Sprintf("/ask?op=%s&n=50", op), &warm); err != nil {
			return err
		}
	}
	if err := f.nodes[0].get(fmt.Sprintf("/ask?op=%s&n=%d", op, times), &answers); err != nil {
		return err
	}
	for i, a := range answers {
		if want := askEach * askNodes; a.Missing > 0 || op == "disconnect" && a.Found != 1 || op != "disconnect" && a.Found != want {
			return fmt.Errorf("%s: call %d of %s: %+v", f.server, i, op, a)
		}
	}
	took := each(answers, millis)
	fmt.Printf("| %s | %s | %.2f | %.2f | %.2f |\n", f.server, op, quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1))
	return nil
}

// askOfTheDead asks for ten seconds after a node was killed.
func (f *fleet) askOfTheDead(op string) error {
	var before []answer
	if err := f.nodes[0].get(fmt.Sprintf("/ask?op=%s&n=1", op), &before); err != nil {
		return err
	}
	living := before[0].Found / askNodes * (askNodes - 1)
	f.nodes[askNodes-1].kill()
	start := time.Now()
	var partial, whole []answer
	var until time.Duration
	wrong := 0
	for time.Since(start) < 10*time.Second {
		var a []answer
		if err := f.nodes[0].get(fmt.Sprintf("/ask?op=%s&n=1", op), &a); err != nil {
			return err
		}
		if a[0].Found != living {
			wrong++
		}
		if a[0].Missing > 0 {
			partial, until = append(partial, a[0]), time.Since(start)
		} else {
			whole = append(whole, a[0])
		}
	}
	for name, list := range map[string][]answer{fmt.Sprintf("partial, until %.1f s", until.Seconds()): partial, "whole": whole} {
		if took := each(list, millis); len(took) > 0 {
			fmt.Printf("| %s | %s, one node killed: %d times %s | %.2f | %.2f | %.2f |\n", f.server, op, len(took), name, quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1))
		}
	}
	if wrong > 0 {
		fmt.Printf("| %s | %s, one node killed: %d times not all of those that live | | | |\n", f.server, op, wrong)
	}
	return nil
}

func millis(a answer) float64 { return a.Micros / 1e3 }

// dial opens a socket to a node.
func (f *fleet) dial(p *process, query string) (*websocket.Socket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if f.server != "socket.io" {
		return websocket.Dial(ctx, "ws://"+p.addr+"/in?"+query, &websocket.DialOptions{Handler: func(s *websocket.Socket) error {
			s.OnMessage(func(websocket.Message) {})
			return nil
		}})
	}
	joined := make(chan struct{}, 1)
	s, err := websocket.Dial(ctx, "ws://"+p.addr+"/socket.io/?EIO=4&transport=websocket", &websocket.DialOptions{Handler: func(s *websocket.Socket) error {
		s.OnMessage(func(m websocket.Message) { answerSocketIO(s, m.Text(), joined) })
		return nil
	}})
	if err != nil {
		return nil, err
	}
	select {
	case <-joined:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answerSocketIO joins the default namespace, and answers pings.
func answerSocketIO(s *websocket.Socket, text string, joined chan<- struct{}) {
	switch {
	case text == "2":
		s.SendText("3")
	case text[:1] == "0":
		s.SendText("40")
	case len(text) > 1 && text[:2] == "40":
		joined <- struct{}{}
	}
}
