package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/nextrush/nextrush/websocket"
)

// What a board may have.
const (
	maxElements = 2000
	maxBytes    = 2 << 20 // about
	maxPoints   = 1000    // of a stroke
	maxText     = 500     // characters of a note
	maxExtent   = 100_000 // from the middle in each direction
)

var (
	colors = []string{"ink", "red", "yellow", "green", "blue", "violet"}
	goodID = regexp.MustCompile(`^[\w-]{1,32}$`) // that a client makes
)

// element is a stroke or a note. It never changes: who changes it makes another one.
type element struct {
	ID    string `json:"id"`
	By    string `json:"by"`             // who has drawn it, or written its text
	N     int64  `json:"n"`              // of the operation that has added it: the newest is on top
	Gone  string `json:"gone,omitempty"` // the operation that has hidden it
	Color string `json:"color"`

	Width    float32   `json:"width,omitempty"`    // of a stroke
	Points   []float32 `json:"points,omitempty"`   // of a stroke: x, y, x, y …
	Pressure []float32 `json:"pressure,omitempty"` // of a stroke, for each point if a pen has told it

	X    float32 `json:"x"` // of a note
	Y    float32 `json:"y"`
	Text string  `json:"text,omitempty"`
	V    string  `json:"v,omitempty"` // the operation that has written the text
}

// op is what a user does. Its id, and those of elements, are the client's. Done twice, as
// after a restart of the server, it is as if done once.
type op struct {
	ID    string   `json:"id"`
	Add   *element `json:"add"`
	Set   *edit    `json:"set"`
	Clear bool     `json:"clear"` // hides all
	Show  string   `json:"show"`  // undoes what an operation has hidden
	Hide  []string `json:"hide"`
}

// edit moves a note, or writes over the text of which the user has seen the version V.
type edit struct {
	ID   string   `json:"id"`
	X    *float32 `json:"x,omitempty"`
	Y    *float32 `json:"y,omitempty"`
	Text *string  `json:"text,omitempty"`
	V    string   `json:"v,omitempty"`
}

// change is what an operation has made of the board, and what all clients do to theirs.
type change struct {
	N    int64      `json:"n"`
	Op   string     `json:"op"`
	By   string     `json:"by"`
	Put  []*element `json:"put,omitempty"`
	Hide []string   `json:"hide,omitempty"`
	Show []string   `json:"show,omitempty"`
}

// result is what became of an operation: the number of the change up to which it is done, or
// why it is not.
type result struct {
	N     int64  `json:"n,omitempty"`
	Error string `json:"error,omitempty"`
}

// elements are those of a board by id. Hidden ones stay, to be shown again.
type elements map[string]*element

func (all elements) take(c *change) {
	for _, e := range c.Put {
		all[e.ID] = e
	}
	for _, id := range slices.Concat(c.Hide, c.Show) {
		if e := all[id]; e != nil {
			marked := *e
			if marked.Gone = c.Op; c.Hide == nil {
				marked.Gone = ""
			}
			all[id] = &marked
		}
	}
}

// gone lists what an operation has hidden; "" stands for what is not hidden.
func (all elements) gone(by string) (ids []string) {
	for id, e := range all {
		if e.Gone == by {
			ids = append(ids, id)
		}
	}
	return ids
}

// sorted lists all, the lowest first.
func (all elements) sorted() []*element {
	list := slices.AppendSeq([]*element{}, maps.Values(all))
	slices.SortFunc(list, func(a, b *element) int { return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (all elements) full() bool {
	bytes := 0
	for _, e := range all {
		bytes += 200 + len(e.Text) + 8*(len(e.Points)+len(e.Pressure))
	}
	return len(all) >= maxElements || bytes >= maxBytes
}

// board is what is drawn on it. Its methods are safe from any goroutine.
type board struct {
	name    string
	sockets *websocket.Namespace
	used    time.Time // guarded by the store

	mu    sync.Mutex // guards what follows, and that the room is told of changes in order
	n     int64      // changes so far
	saved int64      // of them
	all   elements
}

// state is all of a board, and the place in the room's history that it is up to.
type state struct {
	N        int64              `json:"n"`
	Elements []*element         `json:"elements"` // the lowest first
	Position websocket.Position `json:"position"`
}

func (b *board) snapshot(ctx context.Context) (state, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, err := b.sockets.Position(ctx, b.name)
	return state{b.n, b.all.sorted(), at}, err
}

// unsaved returns what is to be saved, or nil.
func (b *board) unsaved() *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved == b.n {
		return nil
	}
	return &state{N: b.n, Elements: b.all.sorted()}
}

// do carries an operation out, and tells everybody. Emitting waits for nobody, so it may be
// done under the lock.
func (b *board) do(user string, o op) result {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &change{N: b.n + 1, Op: o.ID, By: user}
	if err := b.resolveLocked(c, o); err != nil {
		return result{Error: err.Error()}
	}
	if len(c.Put)+len(c.Hide)+len(c.Show) > 0 {
		b.n = c.N
		b.all.take(c)
		b.sockets.To(b.name).Emit("did", c)
	}
	return result{N: b.n}
}

// resolveLocked says what an operation makes of the board as it is now.
func (b *board) resolveLocked(c *change, o op) error {
	switch {
	case !goodID.MatchString(o.ID):
		return errors.New("an operation needs an id of 1 to 32 letters and digits")
	case o.Add != nil:
		return b.addLocked(c, *o.Add)
	case o.Set != nil:
		return b.setLocked(c, o.Set)
	case o.Show != "":
		c.Show = b.all.gone(o.Show)
	case !o.Clear:
		ids := slices.Compact(slices.Sorted(slices.Values(o.Hide)))
		c.Hide = slices.DeleteFunc(ids, func(id string) bool { return b.all[id] == nil || b.all[id].Gone != "" })
	case len(b.all.gone(o.ID)) == 0: // else it is done
		c.Hide = b.all.gone("")
	}
	return nil
}

func (b *board) addLocked(c *change, e element) error {
	if !goodID.MatchString(e.ID) {
		return errors.New("an element needs an id of 1 to 32 letters and digits")
	}
	if b.all[e.ID] != nil { // done
		return nil
	}
	e.By, e.N, e.Gone, e.V = c.By, c.N, "", c.Op
	c.Put = []*element{&e}
	if err := e.check(); err != nil {
		return err
	}
	return b.makeRoomLocked()
}

// setLocked changes a note. A text that the user has not seen is kept in a note of its own,
// and a note that was hidden meanwhile comes back if a text is written into it.
func (b *board) setLocked(c *change, s *edit) error {
	old := b.all[s.ID]
	if old == nil || len(old.Points) > 0 {
		return errors.New("this note is not there any more")
	}
	e := *old
	if s.X != nil && s.Y != nil {
		e.X, e.Y = *s.X, *s.Y
	}
	rewritten := s.Text != nil && *s.Text != old.Text
	if rewritten {
		e.Text, e.V, e.By, e.Gone = *s.Text, c.Op, c.By, ""
	}
	c.Put = []*element{&e}
	if err := e.check(); err != nil || !rewritten || s.V == old.V || old.Text == "" {
		return err
	}
	kept := *old
	kept.ID, kept.N, kept.Gone = fmt.Sprint("kept.", c.N), c.N, ""
	kept.X = min(e.X+220, maxExtent) // beside it
	c.Put = append(c.Put, &kept)
	return b.makeRoomLocked()
}

// makeRoomLocked has hidden elements go for good, the oldest first, until there is room for
// another one.
func (b *board) makeRoomLocked() error {
	if !b.all.full() {
		return nil
	}
	for _, e := range b.all.sorted() {
		if e.Gone != "" {
			if delete(b.all, e.ID); !b.all.full() {
				return nil
			}
		}
	}
	return errors.New("the board is full: erase something first")
}

// check says what is wrong with an element that a client has sent.
func (e *element) check() error {
	outside := func(v float32) bool { return v < -maxExtent || v > maxExtent }
	switch {
	case !slices.Contains(colors, e.Color):
		return errors.New("a color is one of " + strings.Join(colors, ", "))
	case len(e.Points) > 2*maxPoints:
		return fmt.Errorf("a stroke has at most %d points", maxPoints)
	case utf8.RuneCountInString(e.Text) > maxText:
		return fmt.Errorf("a note has at most %d characters", maxText)
	case outside(e.X) || outside(e.Y) || slices.ContainsFunc(e.Points, outside):
		return errors.New("this is beyond the edge of the board")
	case len(e.Points)%2 != 0,
		len(e.Pressure) > 0 && 2*len(e.Pressure) != len(e.Points),
		slices.ContainsFunc(e.Pressure, func(p float32) bool { return p < 0 || p > 1 }),
		len(e.Points) > 0 && (e.Text != "" || e.Width < 1 || e.Width > 64):
		return errors.New("this is neither a stroke nor a note")
	}
	return nil
}
