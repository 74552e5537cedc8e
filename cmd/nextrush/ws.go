package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const talkHelp = `lines are sent as text, except these:
  /emit EVENT JSON...   an event, as in /emit chat {"text":"hi"}
  /ask EVENT JSON...    an event that asks for a reply
  /binary HEX           a binary message
  /ping                 a ping; prints how long the pong took
  /close                ends the connection
`

// talk sends what is typed and prints what arrives.
func talk(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("ws", flag.ContinueOnError)
	header := headerFlag(flags)
	protocol := flags.String("protocol", "", "subprotocol to offer")
	url, err := parse(flags, args, t, "URL")
	if err != nil {
		return err
	}
	opts := &websocket.DialOptions{Header: header}
	if *protocol != "" {
		opts.Protocols = []string{*protocol}
	}
	began := time.Now()
	s, err := websocket.Dial(ctx, url, opts)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w\n%s", err, refused.Body)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.err, "connected in %v; /help for help\n", time.Since(began).Round(time.Microsecond))
	return converse(ctx, s, t)
}

// headerFlag defines -H, which may be given several times.
func headerFlag(flags *flag.FlagSet) http.Header {
	header := make(http.Header)
	flags.Func("H", "header of the request, as in -H \"Cookie: a=b\"", func(line string) error {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("write name and value with a colon between them")
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	return header
}

// converse returns when the socket has ended. At the end of the input it sends a ping
// and closes the socket when the pong arrives: by then, a server that answers in order
// has answered everything.
func converse(ctx context.Context, s *websocket.Socket, t terminal) error {
	pongs := make(chan string, 1)
	s.OnPong(func(data []byte) {
		select {
		case pongs <- string(data):
		default:
		}
	})
	var pinged time.Time
	ended := make(chan error, 1)
	go func() { ended <- print(s, t) }()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(t.in); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				lines = nil
				s.Ping([]byte("end of input"))
				continue
			}
			if line == "/ping" {
				pinged = time.Now()
			}
			if err := say(ctx, s, line, t); err != nil {
				fmt.Fprintln(t.err, err)
			}
		case data := <-pongs:
			if data == "end of input" {
				s.Close(websocket.StatusNormalClosure, "")
				return <-ended
			}
			fmt.Fprintf(t.out, "pong after %v\n", time.Since(pinged).Round(time.Microsecond))
		case err := <-ended:
			return err
		case <-ctx.Done():
			s.Close(websocket.StatusNormalClosure, "")
			return <-ended
		}
	}
}

// print prints messages until the socket has ended.
func print(s *websocket.Socket, t terminal) error {
	for {
		m, err := s.Receive(context.Background())
		var end *websocket.CloseError
		switch {
		case errors.As(err, &end) && end.Code == websocket.StatusNormalClosure:
			return nil
		case err != nil:
			return err
		case m.Type == websocket.Binary:
			fmt.Fprintf(t.out, "< %x\n", m.Bytes())
		default:
			fmt.Fprintf(t.out, "< %s\n", m.Text())
		}
	}
}

func say(ctx context.Context, s *websocket.Socket, line string, t terminal) error {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "/help":
		fmt.Fprint(t.err, talkHelp)
	case "/ping":
		return s.Ping(nil)
	case "/close":
		return s.Close(websocket.StatusNormalClosure, "")
	case "/binary":
		var b []byte
		if _, err := fmt.Sscanf(rest, "%x", &b); err != nil {
			return fmt.Errorf("/binary: %w", err)
		}
		return s.SendBinary(b)
	case "/emit":
		event, values, err := eventOf(rest)
		if err != nil {
			return err
		}
		return s.Emit(event, values...)
	case "/ask":
		return ask(ctx, s, rest, t)
	default:
		return s.SendText(line)
	}
	return nil
}

// ask prints the reply when it comes.
func ask(ctx context.Context, s *websocket.Socket, text string, t terminal) error {
	event, values, err := eventOf(text)
	if err != nil {
		return err
	}
	go func() {
		began := time.Now()
		reply, err := s.Request(ctx, event, values...)
		took := time.Since(began).Round(time.Microsecond)
		if err != nil {
			fmt.Fprintf(t.err, "%s after %v: %v\n", event, took, err)
			return
		}
		fmt.Fprintf(t.out, "%s after %v: %s\n", event, took, reply.Args())
	}()
	return nil
}

// eventOf reads an event's name and the JSON values after it.
func eventOf(text string) (event string, values []any, err error) {
	event, rest, _ := strings.Cut(text, " ")
	if event == "" {
		return "", nil, errors.New("give the name of the event")
	}
	for dec := json.NewDecoder(strings.NewReader(rest)); dec.More(); {
		var v any
		if err := dec.Decode(&v); err != nil {
			return "", nil, fmt.Errorf("the text after %s is not JSON: %w", event, err)
		}
		values = append(values, v)
	}
	return event, values, nil
}
