// Package middleware has handlers that stand before others: on the App, on a
// group, or on one route. They work on WebSocket routes too, before the upgrade.
//
//	app.Use(middleware.RequestID(), middleware.Logger(), middleware.Recover())
package middleware
