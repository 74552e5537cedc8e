package history

import (
	"encoding/json"
	"errors"
)

// Position is a place in the history of a room: the offset of an event there, in an
// epoch. In another epoch the same offset is another event. Nothing is before 0.
type Position struct {
	Epoch  string
	Offset int64
}

// MarshalJSON writes ["epoch",offset].
func (p Position) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.Epoch, p.Offset}) }

const maxEpoch = 64 // bytes; ours are shorter

var errPosition = errors.New(`a position is ["epoch",offset]`)

// UnmarshalJSON reads ["epoch",offset].
func (p *Position) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	var at Position
	if json.Unmarshal(data, &parts) != nil || len(parts) != 2 || len(parts[0]) > maxEpoch ||
		json.Unmarshal(parts[0], &at.Epoch) != nil || json.Unmarshal(parts[1], &at.Offset) != nil || at.Offset < 0 {
		return errPosition
	}
	*p = at
	return nil
}
