package llm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

const person = `{"type":"object","additionalProperties":false,"required":["name","age","pets","mood"],"properties":{
	"name":{"type":"string","description":"as it is written"},"age":{"type":["integer","null"]},"mood":{"type":"string","enum":["good","bad"]},
	"pets":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["weight","alive"],"properties":{"weight":{"type":"number"},"alive":{"type":"boolean"}}}}}}`

func TestOnlySchemasThatEveryProviderHoldsToAreTaken(t *testing.T) {
	t.Parallel()
	if err := llm.CheckSchema(json.RawMessage(person)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"not JSON":             {person, "{"},
		"an unknown word":      {`"type":"number"`, `"type":"number","minimum":1`},
		"an unknown type":      {`"type":"number"`, `"type":"decimal"`},
		"no type":              {`{"type":"number"}`, `{}`},
		"no items":             {`,"items":`, `,"description":"x"},"age2":`},
		"an optional property": {`["weight","alive"]`, `["weight"]`},
		"a required stranger":  {`["weight","alive"]`, `["weight","dead"]`},
		"an open object":       {`"additionalProperties":false,"required":["weight"`, `"required":["weight"`},
		"a wide open object":   {`"additionalProperties":false,"required":["weight"`, `"additionalProperties":true,"required":["weight"`},
		"an array outermost":   {person, `{"type":"array","items":{"type":"string"}}`},
	} {
		text := strings.Replace(person, c[0], c[1], 1)
		if text == person {
			t.Fatalf("%s changes nothing", name)
		}
		if err := llm.CheckSchema(json.RawMessage(text)); fault.KindOf(err) != fault.Internal || err == nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnswersAreHeldToTheirSchema(t *testing.T) {
	t.Parallel()
	const right = `{"name":"Mara","age":41,"mood":"good","pets":[{"weight":29.5,"alive":true},{"weight":4,"alive":false}]}`
	for _, c := range []struct{ from, to, says string }{
		{"41", "null", ""}, {"41", "4.1e1", ""}, {"29.5", "29", ""},
		{"41", "41.5", "age is not of type integer or null"},
		{"41", `"41"`, "age is not of type integer or null"},
		{"41", "1e999", "age is not of type integer or null"},
		{`"Mara"`, "null", "name is not of type string"},
		{`"Mara"`, `{"secret":1}`, "name is not of type string"},
		{`"name":"Mara",`, "", "name is missing"},
		{`"good"`, `"secret"`, "mood is none of the values it may have"},
		{"29.5", "true", "pets[0].weight is not of type number"},
		{"false", "[]", "pets[1].alive is not of type boolean"},
		{`"weight":4,`, "", "pets[1].weight is missing"},
		{`"weight":4,`, `"weight":4,"secret":1,`, "pets[1] has properties the schema does not know"},
		{`"age"`, `"secret":1,"age"`, "the answer has properties the schema does not know"},
		{right, "[]", "the answer is not of type object"},
		{right, right + "]", "it is no JSON"},
		{right, right + right, "it is no JSON"},
		{right, right[1:], "it is no JSON"},
	} {
		text := strings.Replace(right, c.from, c.to, 1)
		p := &scripted{answers: []llm.Response{{Text: text}, {Text: text}}}
		got, err := remote(t, p, new(providertest.Meter)).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("who?"), Schema: json.RawMessage(person)})
		if c.says == "" {
			if err != nil || got.Text != text {
				t.Errorf("%s: got %v", text, err)
			}
			continue
		}
		if err == nil || !strings.HasSuffix(fault.Public(err), "did not answer by the schema: "+c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, c.says)
		}
	}
}
