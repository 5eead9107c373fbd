//go:build !(onnx && cgo)

package onnx

import "github.com/rae-memory/rae/pkg/fault"

// Built reports whether this build can compute models.
const Built = false

// Missing says what a build needs to compute models.
const Missing = "a provider of this build, which was made without ONNX Runtime: build it with CGO_ENABLED=1 go build -tags onnx"

func open(Options, string, []string) (session, error) {
	return nil, fault.New(fault.Unavailable, "this build has no ONNX Runtime")
}
