package eventstream

import (
	"testing"
	"time"
)

func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		id, name string
		data     any
		retry    time.Duration
		want     string // empty: an error
	}{
		{data: "a", want: "data: a\n\n"},
		{data: []byte("a\r\nb\rc\n"), want: "data: a\ndata: b\ndata: c\ndata: \n\n"},
		{id: "1", name: "n", data: map[string]int{"a": 1}, retry: 1500 * time.Millisecond, want: "id: 1\nevent: n\nretry: 1500\ndata: {\"a\":1}\n\n"},
		{id: "1\n2"}, {id: "\x00"}, {name: "a\rb"}, {data: func() {}},
	} {
		got, err := Encode(tt.id, tt.name, tt.data, tt.retry)
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

func TestCommentsMayHaveLines(t *testing.T) {
	if got := string(Comment("a\nb")); got != ": a\n: b\n\n" {
		t.Errorf("%q", got)
	}
}
