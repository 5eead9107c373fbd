package eventing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Event is a CloudEvent that passed every check: its type is in the catalogue, its data fits the schema of the type,
// and its scope is the one its data speaks of.
type Event struct {
	ID          string // with Source, the identity that survives redelivery
	Source      string
	Type        string // one of the catalogue; a ping has become the clock event it stands for
	Subject     string
	Scope       memory.Scope // empty, or without Project, only in clock events
	Time        time.Time    // UTC; zero where the sender did not say
	TraceParent string       // W3C trace context, or ""
	Data        json.RawMessage
	// Refused is set where this is a broker's dead letter: who would not take the event, and why (Knative's extensions
	// knativeerrordest, knativeerrorcode and knativeerrordata). It is what somebody answered, and no more to be trusted.
	Refused string
}

// Encode writes an event in binary mode: attributes as headers, data as the body. It refuses what Decode would.
func Encode(ctx context.Context, e event.Event) (http.Header, []byte, error) {
	p, err := pack(ctx, e)
	return p.header, p.body, err
}

// parcel is an event on its way: written in binary mode, which its receivers share and never write to, and as whoever
// takes it will read it.
type parcel struct {
	event  event.Event
	header http.Header
	body   []byte
	read   Event
}

// pack writes an event and reads it again, once for all who take it.
func pack(ctx context.Context, e event.Event) (parcel, error) {
	request := http.Request{Header: http.Header{}}
	message := binding.ToMessage(&e)
	if err := cehttp.WriteRequest(binding.WithForceBinary(ctx), message, &request); err != nil {
		return parcel{}, fault.Wrap(fault.Invalid, err, "event cannot be encoded")
	}
	body, err := readAll(request.Body)
	if err != nil {
		return parcel{}, err
	}
	read, err := Decode(request.Header, bytes.NewReader(body))
	if err != nil {
		return parcel{}, err
	}
	return parcel{e, request.Header, body, read}, nil
}

// carrier is a sender to whom an event may be handed as a parcel.
type carrier interface {
	carry(ctx context.Context, p parcel) error
}

// EncodeStructured writes an event in structured mode: one JSON object with everything in it.
func EncodeStructured(ctx context.Context, e event.Event) ([]byte, error) {
	b, err := structured(e)
	if err != nil {
		return nil, err
	}
	if _, err := Decode(http.Header{"Content-Type": {event.ApplicationCloudEventsJSON}}, bytes.NewReader(b)); err != nil {
		return nil, err
	}
	return b, nil
}

// structured writes an event without checking it.
func structured(e event.Event) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "event cannot be encoded")
	}
	return b, nil
}

// Decode reads one event in binary or structured mode. Whatever is wrong with it is Malformed or Invalid and names
// the attribute or the place in the data; more than MaxBody bytes are TooLarge, a content coding is Unsupported. An
// error of body itself is Cancelled or Timeout where ctx ended it, else Unavailable: the sender may try again.
func Decode(header http.Header, body io.Reader) (Event, error) {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Event{}, fault.New(fault.Unsupported, "content codings are not taken")
	}
	raw, err := readAll(body)
	if err != nil {
		return Event{}, err
	}
	var attrs attributes
	switch media, _, _ := mime.ParseMediaType(header.Get("Content-Type")); {
	case media == event.ApplicationCloudEventsBatchJSON:
		return Event{}, malformedAt("header.Content-Type", "is a batch; send events one by one")
	case media == event.ApplicationCloudEventsJSON:
		attrs, err = structuredAttributes(header, raw)
	case strings.HasPrefix(media, "application/cloudevents"):
		return Event{}, malformedAt("header.Content-Type", "is a form of CloudEvents that is not taken")
	default:
		attrs, err = binaryAttributes(header)
	}
	if err != nil {
		return Event{}, err
	}
	if err := attrs.check(); err != nil {
		return Event{}, err
	}
	entry, err := attrs.entry()
	if err != nil {
		return Event{}, err
	}
	scope, err := attrs.scope()
	if err != nil {
		return Event{}, err
	}
	ce, err := toEvent(header, raw)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		ID: ce.ID(), Source: ce.Source(), Type: entry.Type, Subject: ce.Subject(), Scope: scope,
		TraceParent: trace(attrs[traceExtension]), Data: bytes.Trim(ce.Data(), " \t\r\n"), Refused: attrs.refused(),
	}
	if !ce.Time().IsZero() {
		e.Time = ce.Time().UTC()
	}
	if len(e.Data) == 0 && entry.Scope == Unscoped {
		e.Data = json.RawMessage("{}") // a PingSource without data
	}
	if err := checkJSON("event.data", e.Data); err != nil {
		return Event{}, err
	}
	if err := checkData(entry.Type, e.Data); err != nil {
		return Event{}, err
	}
	if e.Scope, err = agree(entry, e.Scope, e.Data); err != nil {
		return Event{}, err
	}
	return e, nil
}

// toEvent lets the CloudEvents library read what has passed our own checks.
func toEvent(header http.Header, raw []byte) (*event.Event, error) {
	message := cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(raw)))
	ce, err := binding.ToEvent(context.Background(), message)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "event cannot be decoded")
	}
	var invalid event.ValidationError
	switch err := ce.Validate(); {
	case errors.As(err, &invalid):
		names := make([]string, 0, len(invalid))
		for name := range invalid {
			names = append(names, name)
		}
		slices.Sort(names)
		e := malformed(names[0], "is not what CloudEvents 1.0 asks for")
		e.Err = err
		return nil, e
	case err != nil:
		return nil, fault.Wrap(fault.Malformed, err, "event cannot be decoded")
	}
	return ce, nil
}

const headerPrefix = "Ce-"

// binaryAttributes reads the headers of binary mode.
func binaryAttributes(header http.Header) (attributes, error) {
	attrs := attributes{}
	for key, values := range header {
		name, ok := strings.CutPrefix(http.CanonicalHeaderKey(key), headerPrefix)
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		if !attribute.MatchString(name) {
			return nil, malformedAt("header", "has a CloudEvents attribute whose name is not lower-case letters and digits")
		}
		if _, twice := attrs[name]; twice || len(values) != 1 {
			return nil, malformed(name, "is there more than once")
		}
		attrs[name] = values[0]
	}
	switch values := header.Values("Content-Type"); len(values) {
	case 0:
	case 1:
		attrs["datacontenttype"] = values[0]
	default:
		return nil, malformed("datacontenttype", "is there more than once")
	}
	return attrs, nil
}

// structuredAttributes reads the members of structured mode.
func structuredAttributes(header http.Header, raw []byte) (attributes, error) {
	for key := range header {
		if strings.HasPrefix(http.CanonicalHeaderKey(key), headerPrefix) {
			return nil, malformedAt("header", "has attributes of binary mode beside a structured body")
		}
	}
	if err := checkJSON("body", raw); err != nil {
		return nil, err
	}
	all, err := members("body", raw)
	if err != nil {
		return nil, err
	}
	attrs := attributes{}
	var data int
	for _, m := range all {
		switch m.name {
		case "data":
			data++
			continue
		case "data_base64":
			data++
			if _, ok := m.text(); !ok {
				return nil, malformed("data_base64", "is not a string")
			}
			continue
		}
		value, ok := m.text()
		_, own := ownAttributes[m.name]
		switch {
		case ok:
		case own:
			return nil, malformed(m.name, "is not a string")
		case m.value.Kind() == 't' || m.value.Kind() == 'f' || m.value.Kind() == '0':
			value = m.value.String() // extensions may be booleans and integers
		default:
			return nil, malformed(clip(m.name, maxName), "is neither text, nor a number, nor a boolean")
		}
		attrs[m.name] = value
	}
	if data > 1 {
		return nil, malformed("data", "is there beside data_base64")
	}
	return attrs, nil
}

// ownAttributes are those that must be text; an extension may be another scalar.
var ownAttributes = map[string]struct{}{
	"id": {}, "source": {}, "specversion": {}, "type": {}, "subject": {}, "time": {}, "datacontenttype": {},
	"dataschema": {}, tenantExtension: {}, projectExtension: {}, traceExtension: {}, ClockExtension: {},
}

// agree holds the scope of the attributes against the scope the data speaks of, so that nobody is shown one tenant
// and made to act on another.
func agree(entry Entry, scope memory.Scope, data []byte) (memory.Scope, error) {
	var said struct {
		Tenant  *string `json:"tenant_id"`
		Project *string `json:"project_id"`
		Memory  struct {
			Tenant  *string `json:"tenant_id"`
			Project *string `json:"project_id"`
		} `json:"memory"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return scope, fault.Wrap(fault.Invalid, err, "event.data does not fit its type")
	}
	if entry.Scope == Unscoped {
		if scope.Tenant == "" && said.Tenant != nil {
			scope.Tenant = *said.Tenant
		}
		if scope.Project == "" && said.Project != nil {
			scope.Project = *said.Project
		}
		if scope.Project != "" && scope.Tenant == "" {
			return scope, malformed(tenantExtension, "is missing beside "+projectExtension)
		}
	} else if scope.Tenant == "" {
		return scope, malformed(tenantExtension, "is missing")
	} else if scope.Project == "" && entry.Scope == Scoped {
		return scope, malformed(projectExtension, "is missing")
	}
	for _, pair := range [...]struct {
		extension, have, place string
		said                   *string
	}{
		{tenantExtension, scope.Tenant, "tenant_id", said.Tenant},
		{projectExtension, scope.Project, "project_id", said.Project},
		{tenantExtension, scope.Tenant, "memory.tenant_id", said.Memory.Tenant},
		{projectExtension, scope.Project, "memory.project_id", said.Memory.Project},
	} {
		if pair.said != nil && *pair.said != pair.have {
			return scope, fault.BadField("event."+pair.extension, "is not the %s of the data", pair.place)
		}
	}
	return scope, nil
}

// readAll reads at most MaxBody bytes; nil is no body.
func readAll(body io.Reader) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch kind := fault.KindOf(err); {
	case err != nil && (kind == fault.Timeout || kind == fault.Cancelled):
		return nil, err
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "the event broke off")
	case len(raw) > MaxBody:
		return nil, fault.New(fault.TooLarge, "an event may have %d bytes", MaxBody)
	}
	return raw, nil
}
