package hub

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

type member struct {
	rooms Rooms[*member]
	index int32
	names map[string]bool // where it should be
}

// Whatever joins and leaves, the hub agrees with a map for each member.
func TestHubAgreesWithMaps(t *testing.T) {
	const maxRooms, maxEntries = 12, 5
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		limits := &Limits{MaxRooms: maxRooms, MaxEntries: maxEntries}
		h := New[*member](limits, 1<<(seed%3))
		members := make([]*member, 10)
		for i := range members {
			members[i] = &member{names: make(map[string]bool)}
		}
		in := func(name string) (list []*member) {
			for _, m := range members {
				if m.names[name] {
					list = append(list, m)
				}
			}
			return list
		}
		all := func() map[string]bool {
			rooms := make(map[string]bool)
			for _, m := range members {
				maps.Copy(rooms, m.names)
			}
			return rooms
		}
		for range 200 {
			m, name := members[r.IntN(len(members))], fmt.Sprint("room", r.IntN(20))
			switch r.IntN(10) {
			case 0:
				h.LeaveAll(&m.rooms)
				m.rooms, m.names = Rooms[*member]{}, make(map[string]bool)
			case 1, 2, 3:
				h.Leave(&m.rooms, name)
				delete(m.names, name)
			default:
				var want error
				switch {
				case m.names[name]:
				case len(m.names) == maxEntries:
					want = ErrEntries
				case len(in(name)) == 0 && len(all()) == maxRooms:
					want = ErrRooms
				default:
					m.names[name] = true
				}
				if err := h.Join(&m.rooms, m, name, true); !errors.Is(err, want) {
					t.Fatalf("seed %d: Join: %v, want %v", seed, err, want)
				}
			}
			if got, want := h.Members(name), in(name); len(got) != len(want) || slices.ContainsFunc(want, func(m *member) bool { return !slices.Contains(got, m) }) {
				t.Fatalf("seed %d: %d members, want %d", seed, len(got), len(want))
			}
			if got, want := h.Names(), all(); len(got) != len(want) || h.Count() != int64(len(want)) || limits.Rooms() != h.Count() {
				t.Fatalf("seed %d: %d rooms, %d counted, want %d", seed, len(got), h.Count(), len(want))
			}
			if got := m.rooms.Names(); len(got) != len(m.names) {
				t.Fatalf("seed %d: it is in %v, want %v", seed, got, m.names)
			}
		}
	}
}

func TestNotedJoinsTakeEffectOnEnter(t *testing.T) {
	h := New[*member](&Limits{MaxRooms: 1, MaxEntries: 5}, 4)
	m := &member{}
	for _, name := range []string{"a", "b"} {
		if err := h.Join(&m.rooms, m, name, false); err != nil {
			t.Fatal(err)
		}
	}
	if h.Count() != 0 {
		t.Error("a noted join has taken effect")
	}
	h.Enter(&m.rooms)
	if got := m.rooms.Names(); !slices.Equal(got, []string{"a"}) || h.Count() != 1 {
		t.Errorf("it is in %v, want the first alone: there may be one room", got)
	}
}

// A list that somebody has is not changed by those who come and go.
func TestCrowdKeepsLists(t *testing.T) {
	c := NewCrowd(func(m *member) *int32 { return &m.index })
	members := []*member{{}, {}, {}, {}}
	for _, m := range members {
		c.Add(m)
	}
	list := c.Members()
	c.Remove(members[1])
	c.Add(&member{})
	c.Remove(members[0])
	if !slices.Equal(list, members) {
		t.Error("the list has changed")
	}
	if got := c.Members(); len(got) != 3 || slices.Contains(got, members[0]) || slices.Contains(got, members[1]) {
		t.Errorf("%d are left", len(got))
	}
}
