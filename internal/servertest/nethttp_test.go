package servertest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"
)

// over is the size of a part that is kept in a file.
const over = 100 << 10

var form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\n" + strings.Repeat("x", over) + "\r\n--b--\r\n"

// ranges are fields of requests for a file.
var ranges = []string{"Range: bytes=0-4", "Range: bytes=-3", "Range: bytes=5-", "Range: bytes=99-", "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT", "X: 1"}

// handlerCases run what net/http has on top of a server.
var handlerCases = append([]testCase{
	{name: "51 file", handler: sendsFile(nil), dechunk: true, send: get("/")},
	{name: "51 part of a file", handler: sendsFile(func(f io.Reader) io.Reader { return io.LimitReader(f, 1000) }), dechunk: true, send: get("/")},
	{name: "51 file with a length", handler: sendsFile(nil, "Content-Length: 10000"), send: get("/")},
	{name: "51 file with too small a length", handler: sendsFile(nil, "Content-Length: 5"), send: get("/")},
	{name: "51 file, HEAD", handler: sendsFile(nil), send: request("HEAD / HTTP/1.1")},
	{name: "51 file, HTTP/1.0", handler: sendsFile(nil), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
	{name: "51 file in chunks", handler: sendsFile(nil, "Transfer-Encoding: chunked"), dechunk: true, send: get("/")},
	{name: "51 file of 204", handler: sendsFileOf204, send: get("/")},
	{name: "51 reader other than a file", handler: readsFrom(func() io.Reader { return strings.NewReader("hello") }), send: get("/")},
	{name: "51 empty reader", handler: readsFrom(func() io.Reader { return strings.NewReader("") }), send: get("/")},
	{name: "51 reader that fails", handler: readsFrom(func() io.Reader { return io.MultiReader(strings.NewReader("hello"), failing{}) }), send: get("/")},
	{name: "51 order", dechunk: true, handler: readsInOrder, send: get("/")},
	{name: "52 files of a form are removed", handler: keepsForm, script: steps(send(post(form, "Content-Type: multipart/form-data; boundary=b")), answer, kept, noteFiles)},
	{name: "57 TimeoutHandler", handler: timeoutHandler("/"), send: get("/")},
	{name: "57 TimeoutHandler, too late", handler: timeoutHandler("/never"), send: get("/")},
	{name: "57 MaxBytesHandler", handler: on3(http.MaxBytesHandler(noteReader, 3)), send: post("hello"), strict: "57 MaxBytesHandler, by hand"},
	{name: "57 MaxBytesHandler, by hand", handler: tooLarge, send: post("hello")},
	{name: "57 MaxBytesHandler, below", handler: on3(http.MaxBytesHandler(noteReader, 5)), send: post("hello")},
	{name: "57 StripPrefix", handler: strips, send: get("/a/b?c")},
	{name: "57 ServeMux redirect", handler: on3(mux()), send: get("//a/../b") + get("/dir") + get("/none") + request("PUT /b HTTP/1.1") + get("/id/x%2Fy")},
	{name: "57 FileServer", handler: on3(http.FileServerFS(files)), send: get("/") + get("/f.txt") + get("/none") + get("/index.html") + request("HEAD /f.txt HTTP/1.1")},
	{name: "57 ReverseProxy", handler: proxies, send: request("POST /x?y HTTP/1.1", "Content-Length: 5", "X-A: b", "Connection: X-Hop", "X-Hop: 1") + "hello"},
	{name: "57 ReverseProxy, chunks and a trailer", handler: proxies, send: chunked("5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "Trailer: X-T", "Te: trailers")},
	{name: "57 DumpRequest", handler: dumps, send: post("hello", "Cookie: a=b")},
	{name: "57 server-sent events", handler: events, script: steps(send(get("/", "Accept: text/event-stream")), until("data: 0\n\n"), let("next"), until("data: 1\n\n"), leave, await("ended"))},
}, fileRanges()...)

func fileRanges() (all []testCase) {
	for _, f := range ranges {
		all = append(all, testCase{name: "57 ServeContent " + f, handler: on3(http.FileServerFS(files)), send: get("/f.txt", f)})
	}
	return all
}

var files = fstest.MapFS{
	"f.txt":      {Data: []byte("0123456789"), ModTime: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
	"index.html": {Data: []byte("<html>"), ModTime: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
}

// on3 has a handler of net/http answer.
func on3(h http.Handler) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }
}

var noteReader = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	w.Write(b)
})

func tooLarge(p *play, w http.ResponseWriter, r *http.Request) {
	http.Error(w, "http: request body too large", http.StatusRequestEntityTooLarge)
}

func mux() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /b", func(w http.ResponseWriter, r *http.Request) {})
	m.HandleFunc("GET /dir/", func(w http.ResponseWriter, r *http.Request) {})
	m.HandleFunc("GET /id/{id}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Pattern+" "+r.PathValue("id"))
	})
	return m
}

// newFile has 10,000 bytes, and is removed when the test ends.
func newFile(p *play) *os.File {
	name := filepath.Join(p.TempDir(), "f")
	if err := os.WriteFile(name, bytes.Repeat([]byte("0123456789"), 1000), 0o600); err != nil {
		p.Error(err)
	}
	f, err := os.Open(name)
	if err != nil {
		p.Error(err)
	}
	return f
}

// sendsFile copies a file to the answer.
func sendsFile(through func(io.Reader) io.Reader, fields ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		f := newFile(p)
		defer f.Close()
		setFields(w.Header(), fields)
		var from io.Reader = f
		if through != nil {
			from = through(f)
		}
		n, err := io.Copy(w, from)
		p.note("  %d %v", n, err)
	}
}

func sendsFileOf204(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(204)
	sendsFile(nil)(p, w, r)
}

func readsFrom(from func() io.Reader) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		n, err := w.(io.ReaderFrom).ReadFrom(from())
		p.note("  %d %v", n, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("fails") }

func readsInOrder(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "a")
	w.(io.ReaderFrom).ReadFrom(strings.NewReader("b"))
	io.WriteString(w, "c")
	w.(http.Flusher).Flush()
	w.(io.ReaderFrom).ReadFrom(strings.NewReader("d"))
	io.WriteString(w, "e")
}

// keepsForm has the files of a form in a folder of the test.
func keepsForm(p *play, w http.ResponseWriter, r *http.Request) {
	err := r.ParseMultipartForm(1)
	f, ok := r.MultipartForm.File["f"][0].Open()
	file, isFile := f.(*os.File)
	p.note("  %v, a=%v, a file: %v %v", err, r.Form["a"], isFile, ok == nil)
	if isFile {
		p.formFile = file.Name()
		file.Close()
	}
}

func noteFiles(p *play) {
	_, err := os.Stat(p.formFile)
	p.note("  removed: %v", errors.Is(err, fs.ErrNotExist))
}

// timeoutHandler answers at the path, and nowhere else in time.
func timeoutHandler(path string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		limit := patience
		if r.URL.Path != path {
			limit = 10 * time.Millisecond
		}
		http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				<-r.Context().Done()
			}
			w.Header().Set("X", "y")
			w.WriteHeader(202)
			io.WriteString(w, "in time")
		}), limit, "too late").ServeHTTP(w, r)
	}
}

func strips(p *play, w http.ResponseWriter, r *http.Request) {
	http.StripPrefix("/a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.note("  %s %s", r.URL.Path, r.RequestURI) })).ServeHTTP(w, r)
	p.note("  %s", r.URL.Path)
}

// proxies has a server behind this one, which answers with what it got.
func proxies(p *play, w http.ResponseWriter, r *http.Request) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+headerFields(r.Header)+" "+string(b)+" "+headerFields(r.Trailer))
		w.Header().Set("X-Sum", "1")
	}))
	defer back.Close()
	to, err := url.Parse(back.URL)
	if err != nil {
		p.Error(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(to) }}
	proxy.ServeHTTP(w, r)
}

func dumps(p *play, w http.ResponseWriter, r *http.Request) {
	b, err := httputil.DumpRequest(r, true)
	p.note("  %q %v", b, err)
	p.noteBody(r)
}

func events(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 2 {
		io.WriteString(w, "data: "+string(rune('0'+i))+"\n\n")
		w.(http.Flusher).Flush()
		if i == 0 {
			p.hold("next")
		}
	}
	<-r.Context().Done()
	p.reach("ended")
}
