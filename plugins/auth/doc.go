// Package auth finds out who sends a request or holds a socket, from a JSON Web Token
// (RFC 7519), a one-use ticket or the app's own sessions, and checks what they may do.
//
//	a := auth.New(auth.Options{Keys: []auth.Key{{ID: "1", Key: secret}}})
//	app.Register(a)
//	app.Post("/posts", auth.Require("posts:write"), func(c *nextrush.Context) error {
//		return c.Text(auth.User(c).ID)
//	})
//
// A token comes in the Authorization header or in a cookie; for a socket also in
// Sec-WebSocket-Protocol ("bearer, <token>") or in the first message, or a ticket in
// the query stands for it. A socket is closed with 4401 when its token expires. Its holder
// is its user too, as with [websocket.Socket.SetUser], unless the app has named another.
package auth
