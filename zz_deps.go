//go:build deps

package rae

import (
	_ "github.com/blevesearch/snowballstem/english"
	_ "github.com/cloudevents/sdk-go/v2/binding"
	_ "github.com/cloudevents/sdk-go/v2/event"
	_ "github.com/cloudevents/sdk-go/v2/protocol/http"
	_ "github.com/danielgtaylor/huma/v2/adapters/humago"
	_ "github.com/go-json-experiment/json/jsontext"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/google/uuid"
	_ "github.com/kelseyhightower/envconfig"
	_ "github.com/pressly/goose/v3"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/collectors"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/spf13/cobra"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/net/http2/h2c"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sync/singleflight"
	_ "golang.org/x/term"
	_ "golang.org/x/text/unicode/norm"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
	_ "go.uber.org/goleak"
	_ "github.com/hashicorp/golang-lru/v2"
)
