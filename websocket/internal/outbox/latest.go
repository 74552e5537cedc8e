package outbox

// KeyCost is how many bytes a message with a key takes in the queue besides its own
// and those of the key.
const KeyCost = 192

// latest knows the pieces of an outbox that are messages with a key, none of which a
// write has begun. A piece has the number that it had when it was queued: those
// before it may leave.
type latest struct {
	at    map[string]int // by key
	keys  map[int]string // the reverse
	gone  int            // the number of the first piece
	plain int            // pieces before this one have a message without a key behind them
	empty int            // pieces whose message has moved to the end
	cost  int            // in bytes, of the keys
}

// Keyed queues a message that takes the place of the one with the same key, if one
// waits, and reports that. It keeps that place unless a message without a key has come
// since: none is overtaken. frame is not copied.
func (o *Outbox) Keyed(key string, frame []byte) (replaced bool) {
	l := o.needLatest()
	at, found := l.at[key]
	if found && at >= l.plain {
		p := &o.pieces[at-l.gone]
		o.Bytes += len(frame) - len(p.b)
		p.b = frame
		return true
	}
	if found {
		o.vacate(at)
	}
	o.closeTail()
	l.put(key, l.gone+len(o.pieces))
	o.pieces = append(o.pieces, piece{b: frame, messages: 1, keyed: true, shared: true})
	o.Bytes += len(frame)
	return found
}

func (o *Outbox) needLatest() *latest {
	if o.latest == nil {
		o.latest = &latest{at: make(map[string]int), keys: make(map[int]string)}
	}
	return o.latest
}

// Held is how much less the queue takes if the message with that key leaves it.
func (o *Outbox) Held(key string) int {
	if l := o.latest; l != nil {
		if at, ok := l.at[key]; ok {
			return len(o.pieces[at-l.gone].b) + KeyCost + len(key)
		}
	}
	return 0
}

// vacate empties a piece, whose message moves to the end. Empty pieces are never more
// than the others for long.
func (o *Outbox) vacate(at int) {
	l := o.latest
	p := &o.pieces[at-l.gone]
	o.Bytes -= len(p.b)
	*p = piece{}
	l.forget(at)
	if l.empty++; l.empty > maxWritePiece && l.empty > len(o.pieces)/2 {
		o.compact()
	}
}

// compact takes the empty pieces out.
func (o *Outbox) compact() {
	l, kept := o.latest, o.begun()
	if l == nil || l.empty == 0 {
		return
	}
	plain := l.plain
	for i := kept; i < len(o.pieces); i++ {
		p := o.pieces[i]
		if p.b == nil {
			if l.gone+i < plain {
				l.plain--
			}
			continue
		}
		if p.keyed {
			l.move(l.gone+i, l.gone+kept)
		}
		o.pieces[kept] = p
		kept++
	}
	l.empty = 0
	clear(o.pieces[kept:])
	o.pieces = o.pieces[:kept]
}

// unkey makes ordinary messages of those in a range of pieces: they are to be written,
// or to be dropped.
func (o *Outbox) unkey(from, to int) {
	if o.latest == nil {
		return
	}
	for i := from; i < to; i++ {
		if p := &o.pieces[i]; p.keyed {
			p.keyed = false
			o.latest.forget(o.latest.gone + i)
		}
	}
}

// took notes that the first pieces leave.
func (o *Outbox) took(done int) {
	l := o.latest
	if l == nil {
		return
	}
	for _, p := range o.pieces[:done] {
		if p.b == nil {
			l.empty--
		}
	}
	l.gone += done
}

// queuedPlain notes that the last piece is a message without a key.
func (o *Outbox) queuedPlain() {
	if l := o.latest; l != nil {
		l.plain = l.gone + len(o.pieces)
	}
}

// shift notes that the pieces after the first have moved: by n to the front.
func (l *latest) shift(n int) {
	if l != nil {
		l.gone += n
	}
}

// extra is what the keys take.
func (l *latest) extra() int {
	if l == nil {
		return 0
	}
	return l.cost
}

func (l *latest) put(key string, at int) {
	l.at[key], l.keys[at] = at, key
	l.cost += KeyCost + len(key)
}

func (l *latest) forget(at int) {
	key := l.keys[at]
	delete(l.at, key)
	delete(l.keys, at)
	l.cost -= KeyCost + len(key)
}

func (l *latest) move(from, to int) {
	if from == to {
		return
	}
	key := l.keys[from]
	delete(l.keys, from)
	l.at[key], l.keys[to] = to, key
}
