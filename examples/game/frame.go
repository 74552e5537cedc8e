package main

import (
	"encoding/binary"
	"errors"
)

// inputSize is that of what a page sends for each tick:
//
//	tick uint32 | x, y int8 | dash uint8
const inputSize = 7

// input is what a player does in a tick, which is also the input's number.
type input struct {
	tick int
	stick
}

var errInput = errors.New("not an input")

// decodeInput reads an input, which anybody may have made.
func decodeInput(b []byte) (input, error) {
	if len(b) != inputSize {
		return input{}, errInput
	}
	in := input{
		tick:  int(int32(binary.LittleEndian.Uint32(b))),
		stick: stick{int(int8(b[4])), int(int8(b[5])), b[6] == 1},
	}
	if in.tick < 0 || b[6] > 1 || in.x*in.x+in.y*in.y > 127*127 {
		return input{}, errInput
	}
	return in, nil
}

// The flags of a player in a snapshot.
const (
	flagAway = 1 << iota // nothing has come from it for a second
	flagHurt
)

// snapshot is all that a page needs to know of a tick, for any player:
//
//	tick uint32 | phase uint8 | left uint16 | players uint8 | gems uint8
//	player: seat uint8 | x, y uint16 | vx, vy int16 | dash, flags uint8 | score uint16 | ack uint32
//	gem: cell uint16
func (a *arena) snapshot() []byte {
	b := make([]byte, 0, 9+maxPlayers*17+len(a.gems)*2)
	b = binary.LittleEndian.AppendUint32(b, uint32(a.tick))
	b = append(b, byte(a.phase))
	b = binary.LittleEndian.AppendUint16(b, uint16(a.left))
	b = append(b, byte(a.count()), byte(len(a.gems)))
	for seat, p := range a.players {
		if p != nil {
			b = p.append(b, seat, a.tick)
		}
	}
	for _, cell := range a.gems {
		b = binary.LittleEndian.AppendUint16(b, cell)
	}
	return b
}

func (p *player) append(b []byte, seat, tick int) []byte {
	b = append(b, byte(seat))
	for _, n := range []int{p.x, p.y, p.vx, p.vy} {
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
	}
	b = append(b, byte(p.dash), p.flags(tick))
	b = binary.LittleEndian.AppendUint16(b, uint16(p.score))
	return binary.LittleEndian.AppendUint32(b, uint32(p.ack))
}
