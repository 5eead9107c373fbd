package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/rae-memory/rae/pkg/fault"
)

// bodyError carries a fault through huma, which keeps only an error's text: the text is location, line feed,
// message. Locations hold no control characters.
type bodyError struct{ err error }

func (b bodyError) Error() string {
	if fields := fault.FieldsOf(b.err); len(fields) > 0 {
		return fields[0].Location + "\n" + fields[0].Message
	}
	return "body\n" + fault.Public(b.err)
}

// refusal translates the error huma made of a request into ours: every field named, nothing of its value repeated.
func refusal(m *huma.ErrorModel) *fault.Error {
	kind := kindOfStatus(m.Status)
	refused := &fault.Error{Kind: kind, Message: strings.ToLower(titleOf(m.Status))}
	if kind == fault.Internal {
		refused.Err = fmt.Errorf("huma: %s", m.Detail)
	}
	for _, detail := range m.Errors {
		if detail == nil {
			continue
		}
		if kind == fault.Internal {
			refused.Err = fmt.Errorf("%w: %s", refused.Err, detail.Message)
			continue
		}
		if detail.Message == validation.MsgUnexpectedProperty {
			refused.Kind = fault.Malformed // an unknown key that only the schema's alternatives could rule out
		}
		refused.Fields = append(refused.Fields, fieldOf(detail))
	}
	switch n := len(refused.Fields); {
	case n == 0:
		return refused
	case n > maxFields:
		refused.Message = fmt.Sprintf("%d fields are wrong; the first %d are named", n, maxFields)
		refused.Fields = refused.Fields[:maxFields]
	default:
		first := refused.Fields[0]
		refused.Message = strings.TrimSpace(first.Location + " " + first.Message)
		if n > 1 {
			refused.Message += fmt.Sprintf(" (and %d more)", n-1)
		}
	}
	return refused
}

// fieldOf moves the name of a missing key from the message into the location, and cuts off what repeats the value.
func fieldOf(detail *huma.ErrorDetail) fault.Field {
	field := fault.Field{Location: detail.Location, Message: detail.Message}
	if at, message, ok := strings.Cut(detail.Message, "\n"); ok && detail.Location == "body" {
		field.Location, field.Message = at, message
	}
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if name, ok := strings.CutPrefix(field.Message, before); ok && strings.HasSuffix(name, after) {
		field.Location += "." + strings.TrimSuffix(name, after)
		field.Message = "is required"
	}
	for _, quoting := range []string{
		validation.MsgExpectedDuration, validation.MsgExpectedRFC5322Email, validation.MsgExpectedRFC3986URI,
		validation.MsgExpectedRFC4122UUID, validation.MsgExpectedRegexp, "invalid value: %v",
	} {
		if told, _, ok := strings.Cut(quoting, ": %v"); ok && strings.HasPrefix(field.Message, told) {
			field.Message = told
		}
	}
	field.Message = strings.Replace(field.Message, ", <nil>", "", 1) // huma's word for the null of an enum
	switch {
	case strings.HasPrefix(field.Message, "required ") && strings.HasSuffix(field.Message, "parameter is missing"):
		field.Message = "is required"
	case field.Message == "unknown query parameter":
		field.Message = "is not a known parameter"
	}
	field.Location = showLocation(field.Location)
	return field
}

// finish is the last step of every answer: huma's errors become problem documents and the body is written as JSON
// while its status can still be changed.
func finish(ctx huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		err := refusal(m)
		observe(ctx.Context(), err)
		p := ProblemOf(err)
		override(ctx, p)
		v = p
	}
	if p, ok := v.(*Problem); ok && isLenient(ctx.Operation()) {
		p = p.inDialect()
		override(ctx, p)
		v = p
	}
	body, err := encodeAnswer(v)
	if err != nil {
		err = fault.Wrap(fault.Internal, err, "write the answer of %s", ctx.Operation().OperationID)
		observe(ctx.Context(), err)
		p := ProblemOf(err)
		override(ctx, p)
		return answer(p.encode()), nil
	}
	return body, nil
}

// override makes the problem's status and headers the answer's, whatever huma had in mind.
func override(ctx huma.Context, p *Problem) {
	if x := exchangeOf(ctx); x != nil {
		x.status = p.Status
	}
	for name, values := range p.headers {
		for _, value := range values {
			ctx.SetHeader(name, value)
		}
	}
	ctx.SetHeader("Content-Type", problemMedia)
}

// badBody are the refusals that come before a body is parsed.
func badBody(kind fault.Kind, message string) error {
	return &fault.Error{Kind: kind, Message: "body " + message, Fields: []fault.Field{{Location: "body", Message: message}}}
}

func badHeader(kind fault.Kind, name, message string) error {
	at := "header." + name
	return &fault.Error{Kind: kind, Message: at + " " + message, Fields: []fault.Field{{Location: at, Message: message}}}
}

// slowBody is the one refusal without a kind: 408 is no fault of ours, as a Timeout would be.
func slowBody() *Problem {
	p := newProblem(http.StatusRequestTimeout, "request_timeout", "the body did not arrive in time")
	p.cause = fault.New(fault.Malformed, "%s", p.Detail)
	return p
}
