//go:build onnx && cgo

package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Built reports whether this build can compute models.
const Built = true

// Missing is for builds that cannot compute models.
const Missing = ""

// starting is held while the library is opened: it is the process's, whoever opens it, and its binding holds it in package
// values without a lock.
var starting sync.Mutex

// start opens the library where nobody has.
func start(library string) error {
	starting.Lock()
	defer starting.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	if library == "" {
		library = "libonnxruntime.so"
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("open ONNX Runtime (%s): %w", library, err)
	}
	return nil
}

// inputs are what a batch has for a graph, by the names BERT and its kin are exported with.
var inputs = map[string]func(*batch) []int64{
	"input_ids":      func(b *batch) []int64 { return b.ids },
	"attention_mask": func(b *batch) []int64 { return b.mask },
	"token_type_ids": func(b *batch) []int64 { return b.kinds },
}

// graphSession computes by ONNX Runtime.
type graphSession struct {
	session *ort.DynamicAdvancedSession
	inputs  []string
}

func open(o Options, file string, outputs []string) (session, error) {
	if err := start(o.Library); err != nil {
		return nil, err
	}
	takes, gives, err := ort.GetInputOutputInfo(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	s := &graphSession{}
	for _, in := range takes {
		if inputs[in.Name] == nil || in.DataType != ort.TensorElementDataTypeInt64 {
			return nil, fmt.Errorf("%s asks for %s of %s, which is no input this build has", file, in.Name, in.DataType)
		}
		s.inputs = append(s.inputs, in.Name)
	}
	output, err := chosen(gives, outputs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { _ = options.Destroy() }()
	// One thread a batch: more wait for each other longer than they save, and batches run side by side already.
	if err := errors.Join(options.SetIntraOpNumThreads(1), options.SetInterOpNumThreads(1)); err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	if s.session, err = ort.NewDynamicAdvancedSession(file, s.inputs, []string{output}, options); err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	return s, nil
}

// chosen is the first of the wanted outputs that there is, or the only one.
func chosen(there []ort.InputOutputInfo, wanted []string) (string, error) {
	var names []string
	for _, out := range there {
		if out.DataType == ort.TensorElementDataTypeFloat {
			names = append(names, out.Name)
		}
	}
	for _, name := range wanted {
		if slices.Contains(names, name) {
			return name, nil
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", fmt.Errorf("has none of the outputs %s", strings.Join(wanted, ", "))
}

func (s *graphSession) run(ctx context.Context, b *batch) (_ *numbers, err error) {
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = options.Terminate() // else it computes to the end
	})
	defer func() {
		if !stop() {
			<-ended // it still holds the options
		}
		err = errors.Join(err, options.Destroy())
	}()
	given := make([]ort.Value, len(s.inputs))
	defer func() {
		for _, value := range given {
			if value != nil {
				err = errors.Join(err, value.Destroy())
			}
		}
	}()
	for i, name := range s.inputs {
		table, err := ort.NewTensor(ort.NewShape(int64(b.rows), int64(b.columns)), inputs[name](b))
		if err != nil {
			return nil, err
		}
		given[i] = table
	}
	got := []ort.Value{nil}
	if err := s.session.RunWithOptions(given, got, options); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, got[0].Destroy()) }()
	table, ok := got[0].(*ort.Tensor[float32])
	if !ok {
		return nil, errors.New("the answer is no table of numbers")
	}
	return &numbers{shape: slices.Clone(table.GetShape()), values: table.GetData()}, nil
}

func (s *graphSession) close() error { return s.session.Destroy() }
