package store

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

const blocksPath = "/v1/blocks"

// Owning says whose blocks are meant; exported, like the other parts of inputs, for huma to see its fields.
type Owning struct {
	AgentID string `query:"agent_id" maxLength:"256" doc:"The agent they belong to."`
	UserID  string `query:"user_id" maxLength:"256" doc:"The user they belong to."`
}

// OneBlock is the path of a single block: its name, and whose it is. Without ids it is the project's.
type OneBlock struct {
	Owning
	Name string `path:"name" pattern:"^[a-z][a-z0-9_-]{0,63}$" doc:"Name of the block: lower-case letters, digits, dashes and underscores, a letter first."`
}

func (o *OneBlock) ref() block.Ref {
	return block.Ref{Owner: block.Owner{AgentID: o.AgentID, UserID: o.UserID}, Name: o.Name}
}

// ChangingBlock is the input of everything that changes one block.
type ChangingBlock struct {
	Writing
	OneBlock
	IfMatch string `header:"If-Match" maxLength:"32" doc:"Change only this version, such as \"3\"."`
}

// request is what is said of the change itself; route and body name it, should it be repeated.
func (in *ChangingBlock) request(ctx context.Context, route string, body any) (block.Request, error) {
	expected, err := version(in.IfMatch)
	return block.Request{Why: in.why(ctx), Expected: expected, Key: in.Key(route, []any{in.ref(), expected, body})}, err
}

type putBlockInput struct {
	ChangingBlock
	IfNoneMatch string `header:"If-None-Match" maxLength:"32" doc:"* makes the block only where none stands."`
	Body        block.Settings
}

type editBlockInput struct {
	ChangingBlock
	Body block.Edit
}

type deleteBlockInput struct {
	ChangingBlock
	Erase bool `query:"erase" doc:"Remove every version, too. It cannot be undone."`
}

type undoBlockInput struct {
	ChangingBlock
	Body *struct {
		Version *int `json:"version,omitempty" minimum:"1" doc:"The version to bring back; without it, the one before."`
	}
}

type getBlockInput struct {
	httpapi.Scoped
	OneBlock
}

type blockOutput struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body block.Block
}

type putBlockOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   block.Block
}

type undoBlockOutput struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body block.Version
}

type listBlocksInput struct {
	httpapi.Scoped
	Owning
	Cursor string `query:"cursor" maxLength:"4096" doc:"Where to go on: next_cursor of the page before, unchanged. Empty for the first page."`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Entries per page, at most."`
}

type listBlocksOutput struct {
	Body struct {
		Blocks     []block.Block `json:"blocks" doc:"One page, in order of agent, user and name."`
		NextCursor string        `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

type blockHistoryInput struct {
	httpapi.Scoped
	httpapi.Paged
	OneBlock
}

type blockHistoryOutput struct {
	Body struct {
		Versions   []block.Version `json:"versions" doc:"One page, newest first."`
		NextCursor string          `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) registerBlocks(api huma.API) {
	tags, absent, conflict := []string{tag}, []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	one := blocksPath + "/{name}"
	httpapi.Register(api, huma.Operation{
		OperationID: "list-blocks", Method: http.MethodGet, Path: blocksPath, Tags: tags,
		Summary: "List blocks", Description: "Pages through the blocks of the project, whoever they belong to, or those of an agent or a user.",
	}, f.listBlocks)
	httpapi.Register(api, huma.Operation{
		OperationID: "put-block", Method: http.MethodPut, Path: one, Tags: tags, Errors: conflict, DefaultStatus: http.StatusCreated,
		Summary: "Make or change a block",
		Description: "A block is a small text that every context begins with: a persona, instructions, what is known of a user, the task. " +
			"Members that are absent stay as they are. A change writes a new version; one that changes nothing writes none. The text of a " +
			"read-only block changes only where the body says `read_only`, so that nobody does it in passing. With `If-Match` the change is " +
			"made only to the version given, with `If-None-Match: *` only where no block stands, else it is a 409. So it is where the owner " +
			"(the project, an agent, a user, or an agent about a user) has 50 blocks.",
	}, f.putBlock)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-block", Method: http.MethodGet, Path: one, Tags: tags, Errors: absent,
		Summary: "Read a block", Description: "As it stands.",
	}, f.getBlock)
	httpapi.Register(api, huma.Operation{
		OperationID: "edit-block", Method: http.MethodPatch, Path: one, Tags: tags, Errors: conflict,
		Summary: "Edit a block's text",
		Description: "Appends to the text, or exchanges one passage for another, so that an agent need not send the whole. A passage that does " +
			"not stand in the text, or stands there more than once, is a 409, and so is an edit of a read-only block. An edit that would " +
			"make the text longer than its limit is a 422; nothing is ever cut.",
	}, f.editBlock)
	httpapi.Register(api, huma.Operation{
		OperationID: "delete-block", Method: http.MethodDelete, Path: one, Tags: tags, Errors: conflict, DefaultStatus: http.StatusNoContent,
		Summary: "Delete a block",
		Description: "No read and no context shows it any more. Its versions are kept, and an undo brings it back; with `erase` they are " +
			"removed as well. Of an owner's deleted blocks the last 50 are kept.",
	}, f.deleteBlock)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-block-history", Method: http.MethodGet, Path: one + "/history", Tags: tags, Errors: absent,
		Summary: "Read the versions of a block", Description: "The last 100, newest first, deletions among them: what it said, who changed it, when and why.",
	}, f.blockHistory)
	httpapi.Register(api, huma.Operation{
		OperationID: "undo-block", Method: http.MethodPost, Path: one + "/undo", Tags: tags, Errors: conflict, DefaultStatus: http.StatusOK,
		Summary: "Undo the last change of a block",
		Description: "Writes what the block said before as a new version, and `restored` says which that was. Repeated it goes further back; " +
			"with `version` it goes to that one, and so forward again. A deletion is undone like any change. 409 where no such version is kept.",
	}, f.undoBlock)
}

func (f *Function) listBlocks(ctx context.Context, in *listBlocksInput) (*listBlocksOutput, error) {
	const route = "GET " + blocksPath
	q := block.Query{Owner: block.Owner{AgentID: in.AgentID, UserID: in.UserID}, Limit: in.Limit}
	after, err := httpapi.DecodeCursor(in.Scope(), route, in.Cursor)
	if err != nil {
		return nil, err
	}
	if parts := strings.Split(after, "\x00"); len(parts) == 3 {
		q.After = block.Ref{Owner: block.Owner{AgentID: parts[0], UserID: parts[1]}, Name: parts[2]}
	}
	blocks, next, err := f.Blocks.List(ctx, in.Scope(), q)
	if err != nil {
		return nil, err
	}
	out := &listBlocksOutput{}
	out.Body.Blocks = blocks
	if next != nil {
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), route, strings.Join([]string{next.AgentID, next.UserID, next.Name}, "\x00"))
	}
	return out, nil
}

func (f *Function) putBlock(ctx context.Context, in *putBlockInput) (*putBlockOutput, error) {
	r, err := in.request(ctx, "PUT "+blocksPath, []any{in.IfNoneMatch, in.Body})
	switch {
	case err != nil:
		return nil, err
	case in.IfNoneMatch != "" && (in.IfNoneMatch != "*" || in.IfMatch != ""):
		return nil, fault.BadField("header.If-None-Match", "must be *, and stand without If-Match")
	case in.IfNoneMatch != "":
		r.Expected = block.Absent
	}
	b, err := f.Blocks.Put(ctx, in.Scope(), in.ref(), in.Body, r)
	if err != nil {
		return nil, err
	}
	out := &putBlockOutput{Status: http.StatusOK, ETag: blockTag(&b.Block), Body: b.Block}
	if b.Fresh && b.Change == block.Created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// blockTag is the version of a block as HTTP spells it.
func blockTag(b *block.Block) string { return strconv.Quote(strconv.Itoa(b.Version)) }

func (f *Function) getBlock(ctx context.Context, in *getBlockInput) (*blockOutput, error) {
	b, err := f.Blocks.Get(ctx, in.Scope(), in.ref())
	return &blockOutput{ETag: blockTag(&b), Body: b}, err
}

func (f *Function) editBlock(ctx context.Context, in *editBlockInput) (*blockOutput, error) {
	r, err := in.request(ctx, "PATCH "+blocksPath, in.Body)
	if err != nil {
		return nil, err
	}
	b, err := f.Blocks.Edit(ctx, in.Scope(), in.ref(), in.Body, r)
	return &blockOutput{ETag: blockTag(&b.Block), Body: b.Block}, err
}

func (f *Function) deleteBlock(ctx context.Context, in *deleteBlockInput) (*struct{}, error) {
	r, err := in.request(ctx, "DELETE "+blocksPath, in.Erase)
	if err != nil {
		return nil, err
	}
	if in.Erase {
		return nil, f.Blocks.Erase(ctx, in.Scope(), in.ref(), r)
	}
	_, err = f.Blocks.Delete(ctx, in.Scope(), in.ref(), r)
	return nil, err
}

func (f *Function) undoBlock(ctx context.Context, in *undoBlockInput) (*undoBlockOutput, error) {
	to := 0
	if in.Body != nil && in.Body.Version != nil {
		to = *in.Body.Version
	}
	r, err := in.request(ctx, "POST "+blocksPath+"/undo", to)
	if err != nil {
		return nil, err
	}
	b, err := f.Blocks.Undo(ctx, in.Scope(), in.ref(), to, r)
	return &undoBlockOutput{ETag: blockTag(&b.Block), Body: b.Version}, err
}

func (f *Function) blockHistory(ctx context.Context, in *blockHistoryInput) (*blockHistoryOutput, error) {
	route := "GET " + blocksPath + "/history " + string(in.ref().ID(in.Scope()))
	after, err := in.After(in.Scope(), route)
	if err != nil {
		return nil, err
	}
	before, _ := strconv.Atoi(after) // "" on the first page
	versions, next, err := f.Blocks.History(ctx, in.Scope(), in.ref(), before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &blockHistoryOutput{}
	out.Body.Versions = versions
	if next != 0 {
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), route, strconv.Itoa(next))
	}
	return out, nil
}
