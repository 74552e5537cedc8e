// Package caller finds the line of the program that calls the framework.
package caller

import (
	"fmt"
	"runtime"
	"strings"
)

const root = "github.com/nextrush/nextrush."

// Outside is the file and line outside package nextrush that calls it.
func Outside() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, root) && !strings.HasSuffix(f.File, "_test.go")
		if !inside || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}
