package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// limits are bytes after gzip -9.
var limits = map[string]int{"index.js": 7390, "react.js": 700, "presence.js": 900, "nextrush.js": 7660}

type file struct {
	name string
	data []byte
}

// bundle returns the files of dist. Names that begin with an underscore are private, and
// made shorter: in the same way in all files, as presence calls the core by them.
func bundle(root string) (files []file, err error) {
	short := map[string]any{}
	for _, source := range []string{"index.ts", "presence.ts", "react.ts", "nextrush.ts"} {
		o := options(filepath.Join(root, "src"), source)
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
		o.MangleProps, o.MangleCache = "^_[a-z]", short
		o.External = []string{"react"}
		made, names, err := build(o)
		if err != nil {
			return nil, err
		}
		files, short = append(files, made...), names
	}
	declarations, err := declare(filepath.Join(root, "types"))
	return append(files, declarations...), err
}

// declare returns the declarations, among them those of nextrush.js, which is all of it.
func declare(dir string) (files []file, err error) {
	texts := map[string][]byte{}
	for _, name := range []string{"index.d.ts", "presence.d.ts", "react.d.ts"} {
		texts[name], err = os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, texts[name]})
	}
	_, presence, ok := bytes.Cut(texts["presence.d.ts"], []byte("\"./index.js\";\n"))
	if !ok {
		return nil, errors.New("presence.d.ts does not begin with an import of index.js")
	}
	return append(files, file{"nextrush.d.ts", append(bytes.Clone(texts["index.d.ts"]), presence...)}), nil
}

// options are of what both the package and its tests need: ES2022 modules of each of
// the sources and all that it imports.
func options(dir string, sources ...string) api.BuildOptions {
	o := api.BuildOptions{
		Outdir:      filepath.Join(dir, "out"), // where nothing is written
		Bundle:      true,
		Format:      api.FormatESModule,
		Target:      api.ES2022,
		Charset:     api.CharsetUTF8,
		TsconfigRaw: `{"compilerOptions":{"useDefineForClassFields":false}}`,
	}
	for _, s := range sources {
		o.EntryPoints = append(o.EntryPoints, filepath.Join(dir, s))
	}
	return o
}

// build returns the files, and the names that it has made shorter.
func build(o api.BuildOptions) (files []file, short map[string]any, err error) {
	result := api.Build(o)
	for _, m := range result.Errors {
		err = errors.Join(err, errors.New(m.Text))
		if m.Location != nil {
			err = errors.Join(err, errors.New(m.Location.File+": "+m.Location.LineText))
		}
	}
	for _, f := range result.OutputFiles {
		files = append(files, file{filepath.Base(f.Path), f.Contents})
	}
	return files, result.MangleCache, err
}

func gzipped(data []byte) int {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // which is a level
	w.Write(data)
	w.Close()
	return b.Len()
}
