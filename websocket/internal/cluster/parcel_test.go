package cluster

import (
	"reflect"
	"testing"
)

// Whatever a node is sent is understood as it was written, or refused.
func FuzzParcel(f *testing.F) {
	id := [16]byte{1, 2}
	for _, p := range []Parcel{
		{Kind: Message, Text: []byte("hi"), Bytes: []byte{0}, Except: [][16]byte{id}, ExceptRooms: []string{"a", ""}, Key: "k", Mid: "m", Before: []string{"b"}},
		{Kind: Close, Namespace: "/n", Every: true, IDs: [][16]byte{id}, Users: []string{"u"}, Code: 4001, Reason: "why"},
		{Kind: Call, Call: 1 << 60, Op: "ask", Data: []byte("{}"), Targets: []string{"t"}, Rooms: []string{"r"}, Last: true},
		{Kind: Announce, Sockets: 7, Tops: []Top{{1, 2}, {3, 4}}, Begun: 5, Clock: 6, Previous: 7, Since: 8},
	} {
		f.Add(p.Append(nil))
	}
	f.Add([]byte{})
	f.Add([]byte{byte(Message), fieldID, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if p, err = Parse(p.Append(nil)); err != nil { // without what is empty
			t.Fatal(err)
		}
		again, err := Parse(p.Append(nil))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
		if n := len(p.Append(nil)); n > p.size() {
			t.Errorf("%d bytes, where size says %d", n, p.size())
		}
		if namespace, room, ok := splitKey(string(b)); ok {
			if n, r, ok := splitKey(RoomKey(namespace, room)); !ok || n != namespace || r != room {
				t.Errorf("%q, %q became %q, %q", namespace, room, n, r)
			}
		}
	})
}
