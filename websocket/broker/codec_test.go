package broker

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var samples = []Envelope{
	{From: NewNodeID(), Seq: 1, Room: "chat", Body: []byte("hello")},
	{From: NewNodeID(), Seq: 1 << 60, Room: strings.Repeat("r", maxRoom), Volatile: true, Body: []byte{}},
	{From: NewNodeID(), To: NewNodeID(), Seq: 7, Control: true, Body: []byte("disconnect")},
	{From: NewNodeID(), Seq: 9, Room: "a\x00b", Keep: Retention{100, 1 << 20, time.Minute}, Body: bytes.Repeat([]byte("x"), 1<<16)},
}

func TestEnvelopesSurviveTheWire(t *testing.T) {
	for _, c := range []Codec{{}, {Secret: []byte("secret")}} {
		for _, want := range samples {
			b := c.Append([]byte("before"), &want)
			got, err := c.Decode(b[len("before"):])
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
	}
}

func TestForgedAndForeignBytesAreNoEnvelopes(t *testing.T) {
	c := Codec{Secret: []byte("secret")}
	control := c.Append(nil, &samples[2])
	unsigned := (&Codec{}).Append(nil, &samples[2])
	other := (&Codec{Secret: []byte("other")}).Append(nil, &samples[2])
	changed := bytes.Clone(control)
	changed[len(changed)-macSize-1] ^= 1
	later := bytes.Clone(control)
	later[0]++
	for _, x := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrEnvelope}, {"one byte", control[:1], ErrEnvelope}, {"unsigned", unsigned, ErrForged},
		{"another secret", other, ErrForged}, {"changed", changed, ErrForged}, {"cut off", control[:len(control)-1], ErrForged},
		{"only a head", control[:2], ErrForged}, {"another version", later, ErrVersion},
		{"unknown flags", []byte{version, 0x80}, ErrEnvelope}, {"cut before the room", c.Append(nil, &samples[0])[:10], ErrEnvelope},
	} {
		if _, err := c.Decode(x.b); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", x.name, err, x.want)
		}
	}
}

// Whatever comes over the wire is understood as it was written, or refused.
func FuzzDecode(f *testing.F) {
	c := Codec{Secret: []byte("secret")}
	for _, e := range samples {
		f.Add(c.Append(nil, &e))
	}
	f.Add([]byte{version, flagKeep})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := c.Decode(b)
		if err != nil {
			return
		}
		again, err := c.Decode(c.Append(nil, &e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	c, e := Codec{}, samples[0]
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.Append(buf[:0], &e)
	}
}
