package redial

import (
	"context"
	"encoding/json"
	"maps"
)

// RoomView is what a client knows of a room.
type RoomView struct {
	Joined   bool
	Position *Position // nil: unknown
}

// Room tells what is known of a room.
func (c *Client) Room(name string) RoomView {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.rooms.all[name]
	if x == nil {
		return RoomView{}
	}
	return RoomView{x.joined, x.position}
}

// Join asks the server for a room, from since on; nil: from where we are. Its errors are
// those of Request.
func (c *Client) Join(ctx context.Context, name string, since *Position) (recovered bool, err error) {
	_, err = c.await(ctx, func(done func(*Event, error)) func() *Pending {
		return c.rooms.join(c.rooms.get(name), since, func(ok bool, err error) {
			recovered = ok
			done(nil, err)
		})
	})
	return recovered, err
}

// Leave asks the server to take us out of a room. Its errors are those of Request.
func (c *Client) Leave(ctx context.Context, name string) error {
	_, err := c.await(ctx, func(done func(*Event, error)) func() *Pending {
		return c.rooms.leave(c.rooms.get(name), func(err error) { done(nil, err) })
	})
	return err
}

// Since has what came after p replayed.
func (c *Client) Since(name string, p Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms.since(c.rooms.get(name), p)
}

// Watch has a room's presence known and told.
func (c *Client) Watch(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms.watch(c.rooms.get(name))
}

// Show says what others see of us in a room.
func (c *Client) Show(name string, data json.RawMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms.show(c.rooms.get(name), data)
}

// Members are the users in a room, and how many there are: of too many only that is known.
func (c *Client) Members(name string) (members map[string]Member, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.rooms.all[name]
	if x == nil || x.crowd == nil {
		return nil, 0
	}
	return maps.Clone(x.crowd.members), x.crowd.count
}
