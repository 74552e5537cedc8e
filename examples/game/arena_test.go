package main

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// full is an arena with eight players whose inputs the test sends.
func full() (*arena, []chan input) {
	a := newArena()
	var inputs []chan input
	for seat := range maxPlayers {
		in := make(chan input, inputsKept)
		inputs = append(inputs, in)
		a.players[seat] = &player{ship: start(seat), inputs: in}
	}
	return a, inputs
}

func TestInputsCountInTheirTicks(t *testing.T) {
	a, inputs := full()
	p := a.players[0]
	right, down := stick{x: 127}, stick{y: 127}
	send := func(tick int, s stick) { inputs[0] <- input{tick, s} }
	send(2, right)
	send(4, down)
	send(3, stick{x: -127}) // older than what has come
	send(1000, stick{x: -127})
	for tick, want := range []stick{1: {}, 2: right, 3: right, 4: down, 5: down} {
		if a.tick = tick; tick > 0 && p.next(a) != want {
			t.Errorf("tick %d has %+v, want %+v", tick, p.now, want)
		}
	}
	if p.ack != 4 {
		t.Errorf("input %d is acknowledged", p.ack)
	}
	dash := right
	dash.dash = true
	send(5, dash)
	send(6, right)
	if a.tick = 9; p.next(a) != dash {
		t.Errorf("a dash that comes too late is lost: %+v", p.now)
	}
	if a.tick = 10; p.next(a) != right {
		t.Errorf("an input does not hold: %+v", p.now)
	}
	if a.tick = 50; p.next(a) != (stick{}) || p.flags(a.tick) != flagAway {
		t.Errorf("who is not heard from goes on: %+v", p.now)
	}
}

func TestADashTakesGems(t *testing.T) {
	a, _ := full()
	p, q := a.players[0], a.players[1]
	p.ship = ship{x: 500 * unit, y: 500 * unit, vx: 500, dash: dashEvery}
	q.ship, q.score = ship{x: 530 * unit, y: 500 * unit}, 5
	a.collide()
	if q.score != 2 || q.hurt == 0 || len(a.gems) != 3 {
		t.Errorf("%d gems are left, %d lie around", q.score, len(a.gems))
	}
	p.ship.x, q.ship.x = 500*unit, 530*unit
	if a.collide(); q.score != 2 {
		t.Error("who was hit just now is robbed again")
	}
}

func TestRoundsFollowEachOther(t *testing.T) {
	a, _ := full()
	a.players[3].score = 7
	for range ticksOfRound {
		a.step()
	}
	if a.phase != pausing || a.players[3].score < 7 {
		t.Errorf("after the round: %d, %d gems", a.phase, a.players[3].score)
	}
	for range ticksOfPause {
		a.step()
	}
	if a.phase != playing || a.players[3].score != 0 || a.players[3].ship != start(3) {
		t.Errorf("in the next round: %+v", a.players[3])
	}
}

func TestBotsCollectGems(t *testing.T) {
	a := newArena()
	a.players[2] = &player{ship: start(2)}
	for range 20 * hertz {
		a.step()
	}
	if a.players[2].score == 0 || a.players[2].flags(a.tick)&flagAway != 0 {
		t.Errorf("the bot has %d gems", a.players[2].score)
	}
}

// play has the players of a full arena do something for a tick.
func play(a *arena, inputs []chan input, r *rand.Rand) {
	for _, in := range inputs {
		in <- input{a.tick + 1, stick{r.IntN(179) - 89, r.IntN(179) - 89, r.IntN(40) == 0}}
	}
	a.step()
}

func TestASnapshotHoldsAllOfATick(t *testing.T) {
	a, inputs := full()
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		play(a, inputs, r)
	}
	b := a.snapshot()
	if len(b) != 9+8*17+2*len(a.gems) || binary.LittleEndian.Uint32(b) != 500 || b[7] != 8 {
		t.Fatalf("%d bytes: % x", len(b), b[:9])
	}
	p := b[9+17:] // the second player
	vy := int(int16(binary.LittleEndian.Uint16(p[7:])))
	if p[0] != 1 || int(binary.LittleEndian.Uint16(p[1:])) != a.players[1].x || vy != a.players[1].vy {
		t.Errorf("the second player is % x", p[:17])
	}
	if ack := binary.LittleEndian.Uint32(p[13:]); ack != 500 {
		t.Errorf("input %d is acknowledged", ack)
	}
}

// FuzzDecodeInput has anything come from the network. What is taken is in bounds.
func FuzzDecodeInput(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 127, 0, 1})
	f.Add([]byte{1, 0, 0, 0, 128, 128, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if in, err := decodeInput(b); err == nil && (len(b) != inputSize || in.tick < 0 || in.x*in.x+in.y*in.y > 127*127) {
			t.Errorf("% x is taken as %+v", b, in)
		}
	})
}

// BenchmarkTick is a tick of a match with eight players, without the sockets.
func BenchmarkTick(b *testing.B) {
	a, inputs := full()
	r := rand.New(rand.NewPCG(7, 8))
	b.ReportAllocs()
	for b.Loop() {
		play(a, inputs, r)
		a.snapshot()
	}
}
