// Package contain keeps a panic of the program's functions within goroutines of ours.
package contain

// Run runs f, which nobody waits for, such as a call of the program's log handler. A
// panic, which would end the process, ends f alone.
func Run(f func()) {
	defer func() { _ = recover() }()
	f()
}
