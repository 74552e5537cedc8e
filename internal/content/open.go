package content

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens a file for Serve. The path is the program's own; a symbolic link at its end
// that leads out of its directory is refused, and all but regular files do not exist.
func Open(path string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
