// Package opt reads options that callers may leave out.
package opt

// First returns the first of the options; without any, their zero value.
func First[O any](opts []O) (o O) {
	if len(opts) > 0 {
		o = opts[0]
	}
	return o
}
