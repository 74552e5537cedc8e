// Package redial is a client of nextrush.v1 without its connections: when to connect,
// what waits and what is sent again, which request is answered, and what was missed in
// a room. docs/protocol.md explains the protocol, and clients/scenarios what a client
// does; that in clients/js is the twin of this one.
//
// A [Client] dials through [Options.Dial], and knows the time from [Options.Clock]. What
// it tells the program waits in a queue, and runs in [Client.Work], one at a time and
// under no lock.
//
// # Locks
//
// One mutex guards a Client with all that it is made of: connection, liveness, queue,
// requests, rooms and sessions know no lock, and are used with the mutex held. The
// methods that are called without it are the exported ones of Client, and those whose
// comment says that they wait.
package redial
