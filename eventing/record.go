package eventing

import (
	"bytes"
	"context"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// FromRecord turns an outbox record into the event that announces it. source is the CloudEvents source; "" is the
// owner of the type's data, which is what everybody should use who has no reason for another: the identity of an
// event is its source and id. A record that makes no event the catalogue knows is Malformed or Invalid.
func FromRecord(r outbox.Record, source string) (event.Event, error) {
	p, err := packRecord(r, source)
	return p.event, err
}

func packRecord(r outbox.Record, source string) (parcel, error) {
	entry, ok := entryOfRecord(r.Type)
	if !ok {
		return parcel{}, malformed("type", "is not one of the catalogue")
	}
	if source == "" {
		source = entry.Source()
	}
	e := event.New(event.CloudEventsVersionV1)
	e.SetID(r.ID)
	e.SetType(entry.Type)
	e.SetSource(source)
	e.SetDataSchema(entry.SchemaURI())
	if r.Subject != "" {
		e.SetSubject(r.Subject)
	}
	if !r.Time.IsZero() {
		e.SetTime(r.Time.UTC())
	}
	for name, value := range map[string]string{
		tenantExtension: r.Tenant, projectExtension: r.Project, traceExtension: trace(r.TraceParent),
	} {
		if value != "" {
			e.SetExtension(name, value)
		}
	}
	e.SetDataContentType(event.ApplicationJSON)
	e.DataEncoded = bytes.Clone(r.Data) // as it was written: the library would write it anew
	return pack(context.Background(), e)
}

// ToRecord is FromRecord backwards: the record an event announces, with no attempt made. An event FromRecord would
// not make is Malformed or Invalid.
func ToRecord(e event.Event) (outbox.Record, error) {
	p, err := pack(context.Background(), e)
	if err != nil {
		return outbox.Record{}, err
	}
	return p.read.Record()
}

// Record is the outbox record the event announces, with no attempt made. NotFound: no record announces this type.
func (e Event) Record() (outbox.Record, error) {
	entry, ok := entryOf(e.Type)
	if !ok {
		return outbox.Record{}, fault.New(fault.NotFound, "no record announces %s", e.Type)
	}
	return outbox.Record{
		ID: e.ID, Type: entry.Record, Tenant: e.Scope.Tenant, Project: e.Scope.Project, Subject: e.Subject, Data: e.Data, Time: e.Time,
		TraceParent: e.TraceParent,
	}, nil
}

// order is what keeps its order in delivery: the subject within its scope, or, without one, the event alone.
func order(e event.Event) string {
	if e.Subject() == "" {
		return e.Source() + "\x00" + e.ID()
	}
	tenant, _ := e.Extensions()[tenantExtension].(string)
	project, _ := e.Extensions()[projectExtension].(string)
	return tenant + "/" + project + "\x00" + e.Subject()
}
