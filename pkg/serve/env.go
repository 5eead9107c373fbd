package serve

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// ConfigError is a setting that cannot be used. Its text is one line that names the variable, the value (never a
// secret's) and what is allowed; a program that gets one prints it and exits with code 2.
type ConfigError struct {
	Name    string // the environment variable
	Value   string // as it was set
	Secret  bool   // Value must not be shown
	Missing bool   // it was not set at all
	Allowed string // what would do, as the end of the sentence "must be …"
}

func (e *ConfigError) Error() string {
	switch {
	case e.Missing:
		return fmt.Sprintf("%s is not set: it must be %s", e.Name, e.Allowed)
	case e.Secret:
		return fmt.Sprintf("%s has a value that is not allowed: it must be %s", e.Name, e.Allowed)
	}
	return fmt.Sprintf("%s=%s is not allowed: it must be %s", e.Name, shown(e.Value), e.Allowed)
}

// shown keeps a value to one short line.
func shown(value string) string {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	if quoted := strconv.Quote(value); quoted != `"`+value+`"` || value == "" || strings.Contains(value, " ") {
		return quoted
	}
	return value
}

// Checker is implemented by a configuration with rules of its own; Load calls it when every field has parsed. It
// returns a *ConfigError.
type Checker interface{ Check() error }

// Load fills cfg, a pointer to a struct, from the environment. It is the one way RAE reads settings:
//
//	type Config struct {
//		Store   string           `envconfig:"RAE_STORE" default:"sqlite" allowed:"sqlite|postgres|inmem"`
//		URL     telemetry.Secret `envconfig:"RAE_POSTGRES_URL"`
//		Timeout time.Duration    `envconfig:"RAE_LLM_TIMEOUT" default:"60s" min:"1ms"`
//	}
//
// The tag names the variable in full. A nested struct tagged "RAE_LLM" gives its fields that prefix; they then use
// split_words and no tag, because a tag would be looked up without the prefix too. A field without default keeps
// what it held, so defaults that depend on the program are set before Load. The tag allowed lists an enumeration's
// values, min and max bound numbers and durations.
//
// The error is a *ConfigError, or tells that cfg itself is wrong.
func Load(cfg any) error {
	settings, err := settingsOf(reflect.ValueOf(cfg))
	if err != nil {
		return err
	}
	if err := envconfig.Process("", cfg); err != nil {
		return translate(err, settings)
	}
	for _, s := range settings {
		if err := s.check(); err != nil {
			return err
		}
	}
	if c, ok := cfg.(Checker); ok {
		return c.Check()
	}
	return nil
}

// translate turns a parser's error into the line for the operator.
func translate(err error, settings []setting) error {
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		for _, s := range settings {
			if s.name == parse.KeyName {
				return s.refuse(parse.Value)
			}
		}
	}
	for _, s := range settings {
		if _, set := os.LookupEnv(s.name); !set && s.tag("required") == "true" {
			return &ConfigError{Name: s.name, Missing: true, Allowed: s.allowed()}
		}
	}
	return fmt.Errorf("read environment: %w", err)
}
