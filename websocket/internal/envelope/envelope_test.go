package envelope

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestABinaryEventIsReadAsItWasWritten(t *testing.T) {
	out := Out{Type: Event, Event: "image", ID: json.RawMessage("7")}
	data, ok, err := out.Binary([]any{"a.png", []byte("\xFFpixels")})
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	in, ok := ParseBinary(data)
	if !ok || in.Name() != "image" || string(in.ID) != "7" || len(in.Args) != 1 || !bytes.Equal(in.Bytes, []byte("\xFFpixels")) {
		t.Errorf("%q is read as %+v", data, in)
	}
	for n := range len(data) - len("\xFFpixels") {
		if in, ok := ParseBinary(data[:n]); ok {
			t.Errorf("its first %d bytes are read as %+v", n, in)
		}
	}
	if _, ok, err := out.Binary([]any{strings.Repeat("x", 1<<16), []byte{}}); ok || err != nil {
		t.Error("one that is too long was written", err)
	}
}

func TestTextIsWhatMarshalWrites(t *testing.T) {
	for _, env := range []Out{
		{Type: Event, Event: "said", Timestamp: 1_700_000_000_000},
		{Type: Event, Event: "a \"name\" <b> \u2028\xff", ID: json.RawMessage(`"x-1"`), Timestamp: -1},
		{Type: Event, Event: "", ID: json.RawMessage("7")},
		{Type: Ack, ID: json.RawMessage("18446744073709551615")},
		{Type: Error, Event: "said", Message: "no"},
		{Type: Error, Message: Internal, Errors: []string{"a"}},
	} {
		for _, args := range [][]any{nil, {}, {"<text> \u2028\xff", 7, nil, true}, {map[string]any{"b": 1, "a": []int{}}, json.RawMessage(" [ 1 ] ")}} {
			got, err := env.Text(args)
			if err != nil {
				t.Fatal(err)
			}
			env.Data, _ = Args(args)
			if want, _ := json.Marshal(env); !bytes.Equal(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
	if _, err := (Out{Type: Event}).Text([]any{func() {}}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestStringsAreWhatMarshalWrites(t *testing.T) {
	for c := range 256 {
		s := "a" + string([]byte{byte(c)}) + "b"
		want, _ := json.Marshal([]any{s, s})
		if got, err := Args([]any{s, s}); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%q is %s, %v, want %s", s, got, err, want)
		}
	}
}

func BenchmarkText(b *testing.B) {
	args := []any{strings.Repeat("x", 100)}
	b.ReportAllocs()
	for b.Loop() {
		NewEvent("said", nil).Text(args)
	}
}

func TestWhatIsNoEnvelopeIsNotRead(t *testing.T) {
	for _, text := range []string{"", " ", "null", "[]", `"event"`, `{"type":7}`, `{"type":"event"`, `{}{}`} {
		if in, ok := Parse([]byte(text)); ok {
			t.Errorf("%q is read as %+v", text, in)
		}
	}
	for _, data := range []string{"", "\x00", "\x00\x02{}", "\x00\x10" + `{"type":"hello"}`} {
		if in, ok := ParseBinary([]byte(data)); ok {
			t.Errorf("%q is read as %+v", data, in)
		}
	}
}
