//go:build !unix

package listen

import "os"

func wake(*os.File) error { return nil }
