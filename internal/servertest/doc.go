// Package servertest has only tests: what a server of HTTP/1.1 does with bytes, as scripts
// that run against several servers. The first server is net/http's, and the others must
// answer the same, but for the date and for the differences that a case names. Its answers
// are in testdata as well, so that a Go version with others is told from a server of ours
// that has changed. A server takes part by a line in servers of server_test.go.
//
//	go test ./internal/servertest -run 'TestScripts/43'   # the cases whose name begins so
//	go test ./internal/servertest -run TestScripts -update # when net/http has changed
//
// A case is a script of steps, which sends bytes and waits for events, and a handler.
// What is compared is the script's transcript: the bytes that the client got and whether
// its connection was closed, what the handlers saw and noted, and the log.
package servertest
