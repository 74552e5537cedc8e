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
