package nats

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

func envelopes(n int) (list []*broker.Envelope) {
	node := broker.NewNodeID()
	for i := range n {
		list = append(list, &broker.Envelope{From: node, Seq: uint64(i + 1), Room: "room", Body: []byte("body"),
			Keep: broker.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Minute}})
	}
	return list
}

func TestRecordsSurviveTheWire(t *testing.T) {
	last := &record{epoch: "epoch"}
	var codec broker.Codec
	for i := range 100 {
		r, n := last.next(envelopes(i%3+1), &codec, i == 50)
		if n != i%3+1 || r.top != last.top+int64(n) || r.published(r.nodes[len(r.nodes)-1].node) != uint64(n) || len(r.nodes) > maxMarks {
			t.Fatalf("after %+v comes %+v", last, r)
		}
		got, err := parseRecord(r.append(nil))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v, %v, want %+v", got, err, r)
		}
		got.placed(uint64(1000+i), time.Now())
		last = got
	}
	if last.now.seq < last.was.seq || last.top-last.was.first < minSpan-1 || last.floor == 0 {
		t.Errorf("at the end there is %+v", last)
	}
}

// Whatever a stream has is understood as it was written, or refused.
func FuzzRecord(f *testing.F) {
	r, _ := (&record{epoch: "epoch", top: 7, seq: 8}).next(envelopes(3), &broker.Codec{}, false)
	f.Add(r.append(nil))
	f.Add((&record{epoch: "epoch"}).append(nil))
	f.Add([]byte{recordMark})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		again, err := parseRecord(r.append(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
		if list, err := r.deliveries(&broker.Codec{}); err == nil && len(list) != len(r.envelopes) {
			t.Errorf("%d deliveries of %d envelopes", len(list), len(r.envelopes))
		}
		if !bytes.HasPrefix(b, []byte{recordMark}) {
			t.Error("it does not begin with its mark")
		}
	})
}
