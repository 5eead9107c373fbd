package store

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
)

type conversationInput struct {
	Writing
	httpapi.Priced
	Body ingest.Conversation
}

type conversationOutput struct {
	httpapi.ConsistencyOut
	Status int
	Body   ingest.Recorded
}

func (f *Function) registerConversations(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "record-conversation", Method: http.MethodPost, Path: "/v1/conversations", Tags: []string{tag},
		Summary: "Store the turns of a conversation",
		Description: "Turns become episodic memories in order, verbatim, with `role`, `name`, `turn` and `previous` (the id of the turn before) in " +
			"their metadata; they continue what the session holds. Turns that stand already are recognised: by the message's `id`, else by `at` " +
			"and words, else because the session ends with what the post begins with. So a transcript may be posted again with what was added. " +
			"Answers 201 when a turn is new, else 200.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: manyBody,
	}, f.converse)
}

func (f *Function) converse(ctx context.Context, in *conversationInput) (*conversationOutput, error) {
	recorded, _, err := f.Memories.Conversation(ctx, in.Scope(), in.Body, in.Key("POST /v1/conversations", in.Body), in.why(ctx))
	if err != nil {
		return nil, err
	}
	out := &conversationOutput{ConsistencyOut: f.token(ctx, in.Scope()), Status: http.StatusOK, Body: recorded}
	if recorded.Created > 0 {
		out.Status = http.StatusCreated
	}
	return out, nil
}
