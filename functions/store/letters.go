package store

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// inter puts a broker's dead letter where it can be read and sent again. A clock event comes again by itself.
func (f *Function) inter(ctx context.Context, e eventing.Event) error {
	if f.Letters == nil {
		return nil
	}
	record, err := e.Record()
	if err != nil {
		return err
	}
	err = f.Letters.Inter(ctx, record, e.Refused)
	if fault.KindOf(err) == fault.Invalid { // not of an outbox
		f.log().WarnContext(ctx, "an event that is nobody's record was refused", "type", e.Type, "id", e.ID, "reason", e.Refused)
		return nil
	}
	return err
}

// Letter is an event that was given up: some function refused it, or could not take it for long.
type Letter struct {
	ID        string          `json:"id" doc:"Of the event."`
	Type      string          `json:"type" example:"memory.stored"`
	TenantID  string          `json:"tenant_id"`
	ProjectID string          `json:"project_id,omitempty"`
	Subject   string          `json:"subject,omitempty" doc:"What changed: the id of a memory, reflection or budget."`
	Data      json.RawMessage `json:"data" doc:"As the schema of the type has it: ids and facts about a change, and for memory.derived the memory itself."`
	Reason    string          `json:"reason" doc:"Who refused it and what was answered."`
	Attempts  int             `json:"attempts"`
	Time      time.Time       `json:"time" doc:"When it was written."`
}

type lettersInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type lettersOutput struct {
	Body struct {
		Letters []Letter `json:"dead_letters" doc:"Newest first, of all tenants."`
		Total   int      `json:"total" doc:"How many there are."`
		Waiting int      `json:"waiting" doc:"Events that are on their way."`
	}
}

type replayInput struct {
	httpapi.Idempotent
	ID memory.ID `path:"id" doc:"Id of the dead letter."`
}

func (f *Function) registerLetters(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "list-dead-letters", Method: http.MethodGet, Path: "/v1/dead-letters", Tags: []string{tag},
		Summary:     "List dead letters",
		Description: "Events that were given up, of all tenants. Administrators only.",
		Errors:      []int{http.StatusForbidden},
	}, f.listLetters)
	httpapi.Register(api, huma.Operation{
		OperationID: "replay-dead-letter", Method: http.MethodPost, Path: "/v1/dead-letters/{id}/replay", Tags: []string{tag},
		Summary: "Send a dead letter again",
		Description: "Moves it back among the events that wait. Functions that took it before recognise it; the one that refused it sees it anew. " +
			"Administrators only.",
		DefaultStatus: http.StatusAccepted,
		Errors:        []int{http.StatusForbidden, http.StatusNotFound},
	}, f.replayLetter)
}

func (f *Function) listLetters(ctx context.Context, in *lettersInput) (*lettersOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	dead, err := f.Letters.Dead(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	lag, err := f.Letters.Lag(ctx)
	if err != nil {
		return nil, err
	}
	out := &lettersOutput{}
	out.Body.Total, out.Body.Waiting, out.Body.Letters = lag.Dead, lag.Waiting, make([]Letter, len(dead))
	for i, r := range dead {
		out.Body.Letters[i] = letterOf(r)
	}
	return out, nil
}

func letterOf(r outbox.Record) Letter {
	return Letter{
		ID: r.ID, Type: r.Type, TenantID: r.Tenant, ProjectID: r.Project, Subject: r.Subject, Data: r.Data, Reason: r.Reason,
		Attempts: r.Attempts, Time: r.Time,
	}
}

func (f *Function) replayLetter(ctx context.Context, in *replayInput) (*struct{}, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	id, ok := memory.ParseID(string(in.ID))
	if !ok {
		return nil, fault.BadField("path.id", "must be a UUID")
	}
	found, err := f.Letters.Revive(ctx, string(id))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no such dead letter")
	}
	return nil, err
}
