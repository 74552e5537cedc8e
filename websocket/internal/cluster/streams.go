package cluster

import "github.com/nextrush/nextrush/websocket/broker"

// maxStreams is how many streams are known at once, twice at most: those that were not
// used lately are forgotten.
const maxStreams = 1 << 16

// lru holds what was used last, in two maps, of which the older one is dropped when the
// newer is full.
type lru[K comparable, V any] struct {
	max      int
	now, was map[K]V
	dropped  int // how often
}

func (l *lru[K, V]) get(k K) (v V, ok bool) {
	if v, ok = l.now[k]; ok {
		return v, true
	}
	if v, ok = l.was[k]; ok {
		l.put(k, v)
	}
	return v, ok
}

func (l *lru[K, V]) put(k K, v V) {
	if len(l.now) >= l.max {
		if l.was != nil {
			l.dropped++
		}
		l.was, l.now = l.now, nil
	}
	if l.now == nil {
		l.now = make(map[K]V)
	}
	l.now[k] = v
}

// all yields what is held.
func (l *lru[K, V]) all(yield func(K, V) bool) {
	for k, v := range l.now {
		if !yield(k, v) {
			return
		}
	}
	for k, v := range l.was {
		if _, ok := l.now[k]; !ok && !yield(k, v) {
			return
		}
	}
}

// A stream is what one node publishes to one room, to all nodes, or to one. Its numbers
// begin at 1 in each generation, which is the node's next one whenever a stream begins, was
// forgotten, or has no numbers left. There are enough of them for a node that forgets a
// stream with each message for three years of 10,000 messages a second.
const (
	countBits = 24
	countMask = 1<<countBits - 1
)

// streamOf names the stream of a room, or of a node if there is none, among those of one
// node. The same name for two has losses counted that are none.
func streamOf(room string, to broker.NodeID) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, which all nodes agree on
	for i := range len(room) {
		h = (h ^ uint64(room[i])) * 1099511628211
	}
	for _, b := range to {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// outgoing numbers what this node publishes. It is used by one goroutine.
type outgoing struct {
	streams    lru[uint64, *sent]
	generation uint64           // the last; it begins at 1, since 0 says that it is not known
	busy       map[uint64]*sent // of which the top is not announced yet
}

type sent struct {
	seq  uint64
	used int64 // nanoseconds
	told bool  // its top is announced
}

func newOutgoing() outgoing {
	return outgoing{streams: lru[uint64, *sent]{max: maxStreams}, generation: 1, busy: make(map[uint64]*sent)}
}

// next is the number of the next envelope of a stream, whose top is announced if told.
func (o *outgoing) next(stream uint64, now int64, told bool) uint64 {
	s, ok := o.streams.get(stream)
	if !ok {
		s = &sent{seq: countMask}
		o.streams.put(stream, s)
	}
	if s.seq&countMask == countMask {
		o.generation++
		s.seq = o.generation << countBits
	}
	s.seq++
	s.used, s.told = now, told
	if told {
		o.busy[stream] = s
	}
	return s.seq
}

// quiet takes the tops of streams that have been quiet for a while, at most most.
func (o *outgoing) quiet(before int64, most int) (tops []Top) {
	for stream, s := range o.busy {
		if len(tops) == most {
			break
		}
		if s.used <= before {
			tops = append(tops, Top{stream, s.seq})
			delete(o.busy, stream)
		}
	}
	return tops
}

// again has the tops announced once more of the streams that were used since a time.
func (o *outgoing) again(since int64) {
	for stream, s := range o.streams.all {
		if s.told && s.used >= since {
			o.busy[stream] = s
		}
	}
}

// incoming knows what has come of other nodes' streams. It is used by one goroutine.
type incoming struct {
	scene   scene
	streams lru[streamKey, *received]
	behind  map[streamKey]*received // of which a top is known that has not come
	dropped int                     // how often streams had been forgotten
	forgot  int64                   // and when, at the latest
}

// scene is what a node knows besides.
type scene interface {
	// watching is the watch by which a stream comes, wherever from; of number 0: none.
	watching(stream uint64) watch
	// begun is the last generation that a node had begun some time after since, by what it
	// has announced; ok is false if that is not known.
	begun(from broker.NodeID, since int64) (generation uint64, ok bool)
	now() int64
}

// watch is since when a room is received without a break.
type watch struct {
	room   string
	number uint64 // of which each watch has another
	since  int64  // nanoseconds
}

type streamKey struct {
	from   broker.NodeID
	stream uint64
}

type received struct {
	room  string
	watch uint64
	last  uint64
	top   uint64 // announced
	since int64  // when it was first known that last is behind
}

func newIncoming(s scene) incoming {
	return incoming{scene: s, streams: lru[streamKey, *received]{max: maxStreams}, behind: make(map[streamKey]*received)}
}

// take notes an envelope. lost is how many before it have not come; it is to be dropped if
// it is not fresh.
func (in *incoming) take(e *broker.Envelope) (lost int64, fresh bool) {
	if e.Seq == 0 {
		return 0, true
	}
	k := streamKey{e.From, streamOf(e.Room, e.To)}
	r, known := in.streams.get(k)
	if known && e.Seq <= r.last {
		return 0, false
	}
	if w := in.scene.watching(k.stream); !known || r.watch != w.number || w.number == 0 {
		r = in.meet(k, w, e.Seq)
	}
	lost = between(r.last, e.Seq)
	r.last = e.Seq
	return lost, true
}

// meet notes a stream of which nothing has come by a watch. What came before seq is
// nobody's loss, unless the stream has begun since then.
func (in *incoming) meet(k streamKey, w watch, seq uint64) *received {
	r := &received{room: w.room, watch: w.number, last: seq - 1}
	if in.isNew(k.from, w, seq) {
		r.last = seq &^ countMask
	}
	in.streams.put(k, r)
	return r
}

func (in *incoming) isNew(from broker.NodeID, w watch, seq uint64) bool {
	if in.dropped != in.streams.dropped {
		in.dropped, in.forgot = in.streams.dropped, in.scene.now()
	}
	generation, ok := in.scene.begun(from, max(w.since, in.forgot))
	return ok && w.number != 0 && seq>>countBits > generation
}

// between is how many numbers are between two of a stream. Of an older generation
// nobody knows how many came after the one.
func between(last, seq uint64) int64 {
	if last>>countBits != seq>>countBits {
		last = 0
	}
	return int64(seq&countMask - last&countMask - 1)
}

// announced notes the top of a stream.
func (in *incoming) announced(from broker.NodeID, t Top, now int64) {
	k, w := streamKey{from, t.Stream}, in.scene.watching(t.Stream)
	r, known := in.streams.get(k)
	if w.number == 0 || known && t.Seq <= r.last {
		return
	}
	if !known || r.watch != w.number {
		if !in.isNew(from, w, t.Seq) {
			return
		}
		r = in.meet(k, w, t.Seq)
	}
	r.top = max(r.top, t.Seq)
	if in.behind[k] != r {
		r.since = now
		in.behind[k] = r
	}
}

// overdue tells of what has been announced and has not come by a time, and counts it lost,
// unless nobody wants it any more.
func (in *incoming) overdue(before int64, lost func(from broker.NodeID, room string, n int64)) {
	for k, r := range in.behind {
		switch {
		case r.top <= r.last, r.watch != in.scene.watching(k.stream).number:
			delete(in.behind, k)
		case r.since <= before:
			lost(k.from, r.room, between(r.last, r.top)+1)
			r.last = r.top
			delete(in.behind, k)
		}
	}
}
