// Package auth knows who sends a request or holds a socket, by JSON Web Tokens
// (RFC 7519), one-use tickets or the app's own sessions, and what they may do.
//
//	a := auth.New(auth.Options{Keys: []auth.Key{{ID: "1", Key: secret}}})
//	app.Register(a)
//	app.Post("/posts", auth.Require("posts:write"), func(c *nextrush.Context) error {
//		return c.Text(auth.User(c).ID)
//	})
//
// A token comes in the Authorization header, in a cookie, for an upgrade also in
// Sec-WebSocket-Protocol ("bearer, <token>"), as a ticket in the query, or in
// the first message. A socket whose token expires is closed with 4401.
package auth
