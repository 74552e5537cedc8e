package main

import "testing"

func TestMessagesAmongLines(t *testing.T) {
	m, err := newMessage(config{size: 8, centrifugo: true, path: "/all"})
	if err != nil {
		t.Fatal(err)
	}
	push := string(m.text) + `,"info":{"client":"c"}}}}` + "\n"
	for text, want := range map[string]int{
		push:                                   1,
		push + push + "{}\n" + push:            3,
		`{"id":3,"publish":{}}` + "\n" + push:  1,
		"{}":                                   0,
		`{"push":{"channel":"all","pub":{"da`:  -1,
		push + `{"id":3,"error":{"code":103}}`: -1,
	} {
		n, ok := m.in(frame{fin | opText, []byte(text)})
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%q: got %d, want %d", text, n, want)
		}
	}
}
