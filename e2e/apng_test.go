package e2e

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/draw"
	"image/png"
	"testing"
)

// frame is a picture that is seen for a time.
type frame struct {
	*image.RGBA
	ms int
}

// plays is how often an animation runs: it stops by itself (WCAG 2.2 §2.2.2 asks for a
// way to stop what moves longer).
const plays = 3

// animation encodes frames as an animated PNG (https://www.w3.org/TR/png-3/#apng-frame-based-animation),
// each after the first as the rectangle that has changed; one frame is a plain PNG.
func animation(t *testing.T, frames []frame) []byte {
	t.Helper()
	var out bytes.Buffer
	first := chunks(t, frames[0].RGBA)
	out.WriteString("\x89PNG\r\n\x1a\n")
	chunk(&out, "IHDR", first["IHDR"])
	if len(frames) > 1 {
		chunk(&out, "acTL", be(uint32(len(frames)), uint32(plays)))
	}
	seq := uint32(0)
	for i, f := range frames {
		where, data := f.Bounds(), first["IDAT"]
		if i > 0 {
			where = changed(frames[i-1].RGBA, f.RGBA)
			part := image.NewRGBA(where.Sub(where.Min))
			draw.Draw(part, part.Bounds(), f, where.Min, draw.Src)
			data = chunks(t, part)["IDAT"]
		}
		if len(frames) > 1 {
			size, at := where.Size(), where.Min
			chunk(&out, "fcTL", be(seq, uint32(size.X), uint32(size.Y), uint32(at.X), uint32(at.Y), uint32(f.ms)<<16|1000, uint16(0)))
			seq++
		}
		if i == 0 {
			chunk(&out, "IDAT", data)
			continue
		}
		chunk(&out, "fdAT", append(be(seq), data...))
		seq++
	}
	chunk(&out, "IEND", nil)
	return out.Bytes()
}

// changed is the rectangle in which two pictures differ, of one pixel at least.
func changed(a, b *image.RGBA) (r image.Rectangle) {
	for y := range b.Rect.Dy() {
		for x := range b.Rect.Dx() {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r.Union(image.Rect(r.Min.X, r.Min.Y, r.Min.X+1, r.Min.Y+1))
}

// chunks are the data of a picture's PNG, by type of chunk.
func chunks(t *testing.T, m *image.RGBA) map[string][]byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for rest := b.Bytes()[8:]; len(rest) > 0; {
		n := binary.BigEndian.Uint32(rest)
		name := string(rest[4:8])
		all[name] = append(all[name], rest[8:8+n]...)
		rest = rest[12+n:]
	}
	return all
}

func chunk(out *bytes.Buffer, name string, data []byte) {
	out.Write(be(uint32(len(data))))
	body := append([]byte(name), data...)
	out.Write(body)
	out.Write(be(crc32.ChecksumIEEE(body)))
}

func be(values ...any) (b []byte) {
	for _, v := range values {
		b, _ = binary.Append(b, binary.BigEndian, v)
	}
	return b
}

func TestAnAnimationIsAPNGOfItsFirstFrame(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 4, 3)), image.NewRGBA(image.Rect(0, 0, 4, 3))
	draw.Draw(a, a.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(b, b.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(b, image.Rect(1, 1, 3, 2), image.White, image.Point{}, draw.Src)
	if r := changed(a, b); r != image.Rect(1, 1, 3, 2) {
		t.Errorf("changed: %v", r)
	}
	text := animation(t, []frame{{a, 100}, {b, 200}})
	if m, err := png.Decode(bytes.NewReader(text)); err != nil || m.Bounds() != a.Rect {
		t.Error(m, err)
	}
	for _, name := range []string{"acTL", "fcTL", "fdAT"} {
		if !bytes.Contains(text, []byte(name)) {
			t.Error("no", name)
		}
	}
}
