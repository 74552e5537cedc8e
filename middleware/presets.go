package middleware

import (
	"time"

	"github.com/nextrush/nextrush"
)

// Development is middleware for the machine of whoever writes the program: request
// ids, a log, and panics as errors.
//
//	app.Use(middleware.Development())
func Development() []nextrush.Handler {
	return []nextrush.Handler{RequestID(), Logger(), Recover()}
}

// Production is middleware for programs that strangers use: request and trace ids,
// a log, panics as errors, SecureHeaders, and 600 requests a minute for each
// client, 100 of them at once. It needs Options.TrustedProxies behind a proxy,
// where all clients have one address otherwise. The policy of SecureHeaders lets
// pages run scripts and styles that are files, or have the nonce of CSPNonce.
// Compress is not in it, for it needs thought where pages hold secrets; nor is
// Timeout, for streams.
//
//	app.Use(middleware.Production())
func Production() []nextrush.Handler {
	limit := RateLimitOptions{Requests: 600, Window: time.Minute, Burst: 100}
	return []nextrush.Handler{RequestID(), Trace(), Logger(), Recover(), SecureHeaders(), RateLimit(limit)}
}
