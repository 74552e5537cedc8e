// Package httploop serves HTTP/1.1 on connections that package loop polls, with the types
// and the behaviour of net/http. It knows no routes.
//
// A connection that waits has no goroutine and no buffer. When it can be read, the
// goroutine that polls reads it, finds the requests in what has come, and asks the
// [Handler] who answers each. Answers of handlers that have shown to be quick are made
// there and then, all others in workers. What is answered in one go leaves in one
// system call, and that of all connections found ready at once leaves together, so that
// a client that waits for several is woken once.
//
// A request has no header until its [Handler] makes it of the fields, and an answer whose
// header is a Content-Type alone has no map: most handlers ask for neither.
//
// # What runs where
//
// A run is the work of one connection in one goroutine: reading, and the handlers of its
// requests, one after the other. A connection has at most one run at a time; what happens
// to it meanwhile is noted under its lock, and done in the same run or when the run ends.
// Handlers run under no lock.
//
// A handler that has to wait for its client, because a body has not arrived or an answer
// is not read, and that runs where polling is done, has another goroutine poll first.
// A handler that waits for something else is found by the loop's monitor.
package httploop
