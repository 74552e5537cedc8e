package main

import (
	"bytes"
	"io"
	"path/filepath"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// servedNames are the files of dist that the plugin client serves, by the names under
// which it does.
var servedNames = map[string]string{
	"nextrush.js": "nextrush.js", "nextrush.d.ts": "nextrush.d.ts", "react.js": "nextrush-react.js",
}

// served returns the files of the plugin client: each as it is, and compressed.
func served(dist []file) (files []file) {
	for _, f := range dist {
		if name := servedNames[f.name]; name != "" {
			files = append(files, file{name, f.data}, file{name + ".gz", zipped(f.data)}, file{name + ".br", brotlied(f.data)})
		}
	}
	return files
}

// isSame reports whether two contents of a file are the same once they are unpacked: what
// packs them makes other bytes with each version.
func isSame(name string, a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	plainA, errA := unpacked(name, a)
	plainB, errB := unpacked(name, b)
	return errA == nil && errB == nil && bytes.Equal(plainA, plainB)
}

func unpacked(name string, data []byte) ([]byte, error) {
	switch filepath.Ext(name) {
	case ".gz":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case ".br":
		return io.ReadAll(brotli.NewReader(bytes.NewReader(data)))
	}
	return data, nil
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // which is a level
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func brotlied(data []byte) []byte {
	var b bytes.Buffer
	w := brotli.NewWriterLevel(&b, brotli.BestCompression)
	w.Write(data)
	w.Close()
	return b.Bytes()
}
