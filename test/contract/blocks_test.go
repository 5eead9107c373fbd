package contract_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/search"
)

func TestTheWireLosesNothingOfABlock(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	ref := block.Ref{Owner: block.Owner{AgentID: "desk & co", UserID: "u/7?"}, Name: "persona"}
	content, description, limit, position, fixed := "You are Ada.\n\u2028# \"日本語\"", "Who it is.", 300, 7, true
	all := block.Settings{Content: &content, Description: &description, Limit: &limit, Position: &position, ReadOnly: &fixed}
	made := must[block.Block](t)(f.PutBlock(t.Context(), ref, all, block.Absent))
	near := must[block.Block](t)(f.blocks.Get(t.Context(), f.Scope(), ref))
	if !reflect.DeepEqual(made, near) || made.Content != content || made.Version != 1 || !made.ReadOnly {
		t.Errorf("told %+v, stands %+v", made, near)
	}
	if _, err := f.PutBlock(t.Context(), ref, all, block.Absent); fault.KindOf(err) != fault.Conflict {
		t.Errorf("made twice: %v", err)
	}
	more, free := "Be brief.", false
	must[block.Block](t)(f.PutBlock(t.Context(), ref, block.Settings{ReadOnly: &free}, 1))
	if edited := must[block.Block](t)(f.EditBlock(t.Context(), ref, block.Edit{Append: &more}, 2)); edited.Content != content+"\n"+more {
		t.Errorf("edited to %q", edited.Content)
	}
	if _, err := f.EditBlock(t.Context(), ref, block.Edit{Replace: &block.Replacement{Old: "nothing", New: "x"}}, 0); fault.KindOf(err) != fault.Conflict || fault.FieldsOf(err)[0].Location != "body.replace.old" {
		t.Errorf("edited what is not there: %v", err)
	}
	packed := must[search.Context](t)(f.Context(t.Context(), client.Question{Query: "who", Filter: memoriesOf(ref)}))
	if len(packed.Blocks) != 1 || packed.Blocks[0].Version != 3 || !strings.HasPrefix(packed.Text, "# persona (agent, user)\n  You are Ada.\n") {
		t.Errorf("in context: %+v", packed)
	}
	if packed := must[search.Context](t)(f.Context(t.Context(), client.Question{Query: "who", Filter: memoriesOf(ref), NoBlocks: true})); packed.Text != "" {
		t.Errorf("without blocks: %+v", packed)
	}
	if err := f.DeleteBlock(t.Context(), ref, 3); err != nil {
		t.Error(err)
	}
	if back := must[block.Version](t)(f.UndoBlock(t.Context(), ref, 0, 0)); back.Restored != 3 || back.Block.Version != 5 {
		t.Errorf("brought back %+v", back)
	}
	if first := must[block.Version](t)(f.UndoBlock(t.Context(), ref, 1, 5)); first.Restored != 1 || first.Content != content {
		t.Errorf("brought back %+v", first)
	}
	var history []string
	for v, err := range f.BlockHistory(t.Context(), ref) {
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, fmt.Sprint(v.Block.Version, " ", v.Change))
	}
	if want := []string{"6 restored", "5 restored", "4 deleted", "3 updated", "2 updated", "1 created"}; !reflect.DeepEqual(history, want) {
		t.Errorf("history %q, want %q", history, want)
	}
	if err := errors.Join(f.EraseBlock(t.Context(), ref, 6), f.EraseBlock(t.Context(), ref, 0)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("erased twice: %v", err)
	}
}

func TestEveryBlockIsListedPageByPage(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	for user := range 3 {
		for n := range 40 {
			ref := block.Ref{Owner: block.Owner{UserID: fmt.Sprint("u", user)}, Name: fmt.Sprintf("b%02d", n)}
			must[block.Changed](t)(f.blocks.Put(t.Context(), f.Scope(), ref, block.Settings{}, block.Request{}))
		}
	}
	blocks := f.Blocks(t.Context(), block.Owner{})
	for range 2 {
		seen := 0
		for b, err := range blocks {
			if want := fmt.Sprintf("u%d b%02d", seen/40, seen%40); err != nil || b.UserID+" "+b.Name != want {
				t.Fatalf("got %s %s, %v, want %s", b.UserID, b.Name, err, want)
			}
			seen++
		}
		if seen != 120 {
			t.Errorf("%d of 120 blocks", seen)
		}
	}
}
