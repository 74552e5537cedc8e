//go:build !unix

package redis

// readable is not known here: a connection that has ended is noticed when it is used.
func readable(uintptr) bool { return false }
