package websocket

import (
	"context"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/redial"
)

// ClientRoom is a room as a Client sees it: the server says who is in it. Its methods are
// safe from any goroutine.
type ClientRoom struct {
	c    *Client
	name string
}

// Room returns a room, whether the client is in it or not.
func (c *Client) Room(name string) ClientRoom { return ClientRoom{c, name} }

// Name is the room's.
func (r ClientRoom) Name() string { return r.name }

// Joined reports whether the client is in the room, as far as the server tells: of rooms
// with history or presence, and of those that were joined by Join.
func (r ClientRoom) Joined() bool { return r.c.core.Room(r.name).Joined }

// Position is where the client is in the room's history; ok is false if that is unknown.
func (r ClientRoom) Position() (p Position, ok bool) {
	if at := r.c.core.Room(r.name).Position; at != nil {
		return Position(*at), true
	}
	return p, false
}

// On registers f to run with each event of that name that has come by the room's history.
func (r ClientRoom) On(event string, f func(*Event)) { r.c.on(handlerKey{r.name, event}, f) }

// Join asks for the room, where the server lets clients; see RoomOptions.Join. The client
// asks again after a new session. What was missed since it was in the room before is handed
// on first; recovered is false if that was not to be had, and OnGap is told. Its errors are
// those of [Client.Request], but a lost session is not one of them.
func (r ClientRoom) Join(ctx context.Context) (recovered bool, err error) { return r.join(ctx, nil) }

// JoinFrom is Join with what came after p: the client has loaded the state that was there
// at p.
func (r ClientRoom) JoinFrom(ctx context.Context, p Position) (recovered bool, err error) {
	return r.join(ctx, &p)
}

func (r ClientRoom) join(ctx context.Context, since *Position) (recovered bool, err error) {
	recovered, err = r.c.core.Join(ctx, r.name, (*redial.Position)(since))
	return recovered && err == nil, r.c.public(err)
}

// Leave asks to be taken out of the room. Its errors are those of Join.
func (r ClientRoom) Leave(ctx context.Context) error {
	return r.c.public(r.c.core.Leave(ctx, r.name))
}

// Since has what came after p handed on, again if need be: the client has loaded the state
// that was there at p. Until that has come, newer events wait.
func (r ClientRoom) Since(p Position) { r.c.core.Since(r.name, redial.Position(p)) }

// OnPresence registers f to run when users come and go.
func (r ClientRoom) OnPresence(f func(PresenceChange)) {
	r.c.mu.Lock()
	r.c.presence[r.name] = append(slices.Clip(r.c.presence[r.name]), f)
	r.c.mu.Unlock()
	r.c.core.Watch(r.name)
}

// Present lists the users in a room with presence, in the order of their names, and tells
// how many there are. Of more than 500 only their number is known. The first call asks the
// server, and knows none yet.
func (r ClientRoom) Present() (list []Present, count int) {
	r.c.core.Watch(r.name)
	members, count := r.c.core.Members(r.name)
	for user, m := range members {
		list = append(list, Present{user, m.Data, m.Sockets})
	}
	slices.SortFunc(list, func(a, b Present) int { return strings.Compare(a.User, b.User) })
	return list, count
}

// Show says what others see as the data of this client's user, also in later sessions. Its
// errors are those of [Client.Emit].
func (r ClientRoom) Show(data any) error {
	text, err := envelope.JSON(data)
	if err != nil {
		return err
	}
	return r.c.public(r.c.core.Show(r.name, text))
}
