package main

import (
	"bytes"

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

// zipped does not use compress/gzip, whose bytes depend on the version of Go.
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
