package httpapi

import (
	"encoding/binary"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

const consistencyHeader = "X-RAE-Consistency"

// ConsistencyOut is embedded in the output of every write: its token, sent back on a read, makes that read see at
// least this write.
type ConsistencyOut struct {
	Consistency string `header:"X-RAE-Consistency" doc:"Send it back on a read, and that read sees at least this write."`
}

// ConsistencyIn is embedded in the input of every read that may be served from an index.
type ConsistencyIn struct {
	Consistency string `header:"X-RAE-Consistency" maxLength:"128" doc:"Token of an earlier write; the read sees at least that write."`
}

// Seq returns the change the read must have seen, 0 when the caller asked for none.
func (c *ConsistencyIn) Seq(scope memory.Scope) (memory.Seq, error) {
	return DecodeConsistency(scope, c.Consistency)
}

// EncodeConsistency makes the token of a write. Seq 0 is no write and has the token "".
func EncodeConsistency(scope memory.Scope, seq memory.Seq) string {
	if seq <= 0 {
		return ""
	}
	return seal(scope, "consistency", binary.AppendUvarint(nil, uint64(seq)))
}

// DecodeConsistency is EncodeConsistency backwards. A token that was altered or belongs to another scope is Invalid
// and names header.X-RAE-Consistency.
func DecodeConsistency(scope memory.Scope, token string) (memory.Seq, error) {
	if token == "" {
		return 0, nil
	}
	if payload, ok := unseal(scope, "consistency", token); ok {
		n, length := binary.Uvarint(payload)
		if seq := memory.Seq(n); length == len(payload) && seq > 0 {
			return seq, nil
		}
	}
	return 0, fault.BadField("header."+consistencyHeader, "is not a token of this project")
}
