package body

import (
	"mime/multipart"
	"net/http"
	"strings"
)

const memory = 1 << 20 // bytes of file parts kept in memory; the rest goes to files

// parse sets the MultipartForm of a request. Too many parts, or too long names, are
// multipart.ErrMessageTooLarge.
func parse(r *http.Request) error {
	_ = r.ParseForm() // the query, which ParseMultipartForm would refuse for a ";"
	err := r.ParseMultipartForm(memory)
	if err == nil && longHeader(r.MultipartForm) {
		r.MultipartForm.RemoveAll()
		r.MultipartForm = nil
		return multipart.ErrMessageTooLarge
	}
	return err
}

// maxPartHeader is how many bytes the names and other headers of a part of a form may
// have, as in plugin upload.
const maxPartHeader = 8 << 10

func longHeader(form *multipart.Form) bool {
	for name := range form.Value {
		if len(name) > maxPartHeader {
			return true
		}
	}
	for _, files := range form.File {
		for _, file := range files {
			size := 0
			for name, values := range file.Header {
				size += len(name) + len(strings.Join(values, ""))
			}
			if size > maxPartHeader {
				return true
			}
		}
	}
	return false
}

// RemoveFiles removes the files of a form that was parsed into the request.
func RemoveFiles(r *http.Request) {
	if r.MultipartForm != nil {
		r.MultipartForm.RemoveAll()
	}
}
