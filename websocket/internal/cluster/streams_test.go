package cluster

import (
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// still is a scene in which each stream has been received since generation floor.
type still struct {
	number, floor uint64
}

func (s still) watching(uint64) watch { return watch{"room", s.number, 0} }

func (s still) now() int64 { return 0 }

func (s still) begun(broker.NodeID, int64) (uint64, bool) { return s.floor, s.floor > 0 }

// What is lost of the beats by which nodes know each other is nobody's message.
func TestBeatsAreNotCounted(t *testing.T) {
	l, in := &newOutbox(&Node{began: time.Now()}).lanes[laneOthers], newIncoming(still{})
	for _, kind := range []Kind{Message, Announce, Announce, Message} {
		l.sealLocked(&letter{parcel: &Parcel{Kind: kind}}, 0)
	}
	for i, e := range l.sending {
		if i == 1 {
			continue // lost
		}
		if lost, fresh := in.take(&e); lost != 0 || !fresh {
			t.Errorf("envelope %d: %d are lost before it, fresh: %v", i, lost, fresh)
		}
	}
}

// young is a scene of which nothing is known before a time.
type young struct {
	still
	time int64
}

func (s young) begun(_ broker.NodeID, since int64) (uint64, bool) { return 1, since < s.time }

func (s young) now() int64 { return s.time }

// A stream that was forgotten as there are too many has not begun anew.
func TestWhatIsForgottenIsNotLost(t *testing.T) {
	in := newIncoming(young{still{number: 1}, 5})
	in.streams.max = 2
	for i := range 20 {
		for room := range 8 {
			e := broker.Envelope{Room: string(rune('a' + room)), Seq: 2<<countBits + uint64(i) + 1}
			if lost, fresh := in.take(&e); lost != 0 || !fresh {
				t.Fatalf("message %d of room %d: %d are lost, fresh: %v", i, room, lost, fresh)
			}
		}
	}
}

// Nor is one that is not sent since the engine cannot be reached.
func TestBeatsThatAreNotSentAreNotCounted(t *testing.T) {
	n := &Node{began: time.Now()}
	o := newOutbox(n)
	o.put(letter{parcel: &Parcel{Kind: Announce, Volatile: true}})
	o.put(letter{parcel: &Parcel{Kind: Message, Volatile: true}})
	if dropped := n.count.Dropped.Load(); dropped != 1 {
		t.Errorf("%d are counted, want the message alone", dropped)
	}
}

// A node that has begun more streams than 24 bits can number goes on upwards, and so does a
// stream with as many messages.
func TestNumbersOfAStreamAlwaysRise(t *testing.T) {
	o := newOutgoing()
	last := uint64(0)
	for _, generation := range []uint64{1, 1<<24 - 2, 1<<24 - 1, 1 << 24, 1<<32 - 1} {
		o.generation = max(o.generation, generation)
		for range 3 {
			o.streams = lru[uint64, *sent]{max: maxStreams} // it is forgotten
			if seq := o.next(7, 0, false); seq <= last {
				t.Fatalf("in generation %d %#x follows %#x", generation, seq, last)
			} else {
				last = seq
			}
		}
	}
	s, _ := o.streams.get(7)
	s.seq = s.seq&^countMask | (countMask - 1)
	in := newIncoming(still{1, 0})
	for i := range 5 {
		e := broker.Envelope{Room: "room", Seq: o.next(7, 0, false)}
		if lost, fresh := in.take(&e); lost != 0 || !fresh {
			t.Errorf("message %d, %#x: %d are lost before it, fresh: %v", i, e.Seq, lost, fresh)
		}
	}
}

// What is lost before the first that comes is counted, if the stream has begun since it is
// received, and nothing else is.
func TestLossesBeforeTheFirstThatComes(t *testing.T) {
	from := broker.NewNodeID()
	seq := func(generation, n uint64) uint64 { return generation<<countBits | n }
	for _, x := range []struct {
		name  string
		scene still
		come  []uint64
		want  int64 // by what comes
		top   uint64
		late  int64 // by what is announced
	}{
		{"a stream that has begun", still{1, 5}, []uint64{seq(6, 4)}, 3, seq(6, 4), 0},
		{"nothing of it comes", still{1, 5}, nil, 0, seq(6, 4), 4},
		{"what was announced comes late", still{1, 5}, []uint64{seq(6, 1), seq(6, 2)}, 0, seq(6, 2), 0},
		{"one that was there before", still{1, 5}, []uint64{seq(5, 4)}, 0, seq(5, 4), 0},
		{"nothing of one that was there before", still{1, 5}, nil, 0, seq(5, 4), 0},
		{"more of it after that", still{1, 5}, []uint64{seq(5, 4), seq(5, 6)}, 1, seq(5, 8), 2},
		{"a node that has not announced itself", still{1, 0}, []uint64{seq(6, 4)}, 0, seq(6, 5), 1},
		{"a room that is not received", still{0, 5}, []uint64{seq(6, 4), seq(6, 9)}, 0, seq(6, 10), 0},
	} {
		in, got, late := newIncoming(x.scene), int64(0), int64(0)
		in.announced(from, Top{streamOf("room", broker.NodeID{}), x.top}, 0)
		for _, n := range x.come {
			lost, _ := in.take(&broker.Envelope{From: from, Room: "room", Seq: n})
			got += lost
		}
		in.announced(from, Top{streamOf("room", broker.NodeID{}), x.top}, 0)
		in.overdue(1, func(_ broker.NodeID, _ string, n int64) { late += n })
		in.overdue(1, func(broker.NodeID, string, int64) { t.Errorf("%s: it is counted twice", x.name) })
		if got != x.want || late != x.late {
			t.Errorf("%s: %d and %d are lost, want %d and %d", x.name, got, late, x.want, x.late)
		}
	}
}

// What was said between two watches of a room is nobody's loss.
func TestWatchesBeginAnew(t *testing.T) {
	in, from := newIncoming(still{1, 5}), broker.NewNodeID()
	count := func(_ broker.NodeID, _ string, n int64) { t.Errorf("%d are lost", n) }
	top := Top{Stream: streamOf("room", broker.NodeID{})}
	for number := range uint64(3) {
		in.scene = still{2*number + 1, 5}
		for range 2 {
			top.Seq++
			if lost, fresh := in.take(&broker.Envelope{From: from, Room: "room", Seq: 5<<countBits | top.Seq}); lost != 0 || !fresh {
				t.Errorf("in watch %d %d are lost, fresh: %v", number, lost, fresh)
			}
		}
		if _, fresh := in.take(&broker.Envelope{From: from, Room: "room", Seq: 5<<countBits | top.Seq}); fresh {
			t.Error("what comes again is fresh")
		}
		top.Seq += 3
		announced := Top{top.Stream, 5<<countBits | top.Seq}
		in.announced(from, announced, 0) // and then nobody is there any more
		in.scene = still{0, 5}
		in.announced(from, announced, 0)
		in.overdue(1, count)
	}
}

func TestBegunIsWhatWasAnnouncedAWhileAfter(t *testing.T) {
	n, id, second := &Node{}, broker.NewNodeID(), int64(time.Second)
	m := &member{}
	n.members.known = map[broker.NodeID]*member{id: m}
	for i, generation := range []uint64{0, 2, 2, 2, 4, 9} {
		m.begins(generation, int64(i)*second)
	}
	for since, want := range []uint64{2, 2, 2, 4, 9, 0} {
		if got, ok := n.begun(id, int64(since)*second); got != want || ok != (want > 0) {
			t.Errorf("since %d s: %d, %v, want %d", since, got, ok, want)
		}
	}
	for i := range 1000 {
		m.begins(uint64(10+i), int64(6+i)*second)
	}
	if len(m.begun) != maxBegun {
		t.Errorf("%d are remembered", len(m.begun))
	}
	if got, _ := n.begun(id, 0); got != 1010-maxBegun {
		t.Errorf("long ago it was %d", got)
	}
}
