// Package loop runs what connections have to do. It knows nothing of what their
// bytes mean.
//
// A [Loop] has workers, goroutines that run one [Task] after the other; a poller,
// whose goroutines run tasks as well; and a monitor, which finds tasks that take
// long. Its goroutines exist only while it has connections. A [Wheel] looks at
// connections when their time-outs are due.
//
// # Batches
//
// While a task runs for a connection, what it sends is held back, so that all of it
// leaves in one system call: that is a batch. [Worker.Begin] opens one and
// [Worker.End] closes it. A batch that is there for two rounds of the monitor, some
// milliseconds, is relieved: what it has held back is written, and from then on
// nothing is held back. If its goroutine polled, another one polls instead.
package loop
