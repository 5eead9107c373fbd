// Package qdranttest is a Qdrant to test against: a gRPC server in this process that gives the RPCs RAE uses their real
// meaning (named vectors, exact cosine search, filters, payload indexes, errors as Qdrant words them) and that can be
// told to misbehave. It is no Qdrant: it proves what is sent and how answers are taken, not that a release of Qdrant
// agrees.
//
// What it does not know it refuses with Unimplemented, so that a test can not pass by accident.
package qdranttest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Server is one Qdrant. Its content survives Stop and Start, as on disk.
type Server struct {
	t       testing.TB // nil: of a program
	address string
	key     string

	mu          sync.Mutex
	running     *grpc.Server
	collections map[string]*collection
	faults      Faults
	late        []func() // changes acknowledged and not applied yet
	calls       map[string]int
	queries     []*api.QueryPoints
	hung        chan struct{} // closed when hanging calls may go on
}

// New starts a server on a free port of this machine and stops it when the test ends.
func New(t testing.TB) *Server { return NewWithKey(t, "") }

// NewWithKey is New of a server that asks for an API key.
func NewWithKey(t testing.TB, key string) *Server {
	t.Helper()
	s := newServer(key)
	s.t = t
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Run starts a server for a program that is no test, such as a benchmark, which ends it by Stop.
func Run() (*Server, error) {
	s := newServer("")
	return s, s.listen()
}

func newServer(key string) *Server {
	return &Server{
		address: "127.0.0.1:0", key: key, collections: map[string]*collection{},
		calls: map[string]int{}, hung: make(chan struct{}),
	}
}

// URL is where it listens, as RAE_QDRANT_URL takes it.
func (s *Server) URL() string { return "grpc://" + s.address }

// Start lets a test's server listen again, at the same address every time.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.listen(); err != nil {
		s.t.Fatalf("listen: %v", err)
	}
}

func (s *Server) listen() error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	server := grpc.NewServer(
		grpc.UnaryInterceptor(s.intercept),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 1, PermitWithoutStream: true}),
	)
	api.RegisterQdrantServer(server, &health{})
	api.RegisterCollectionsServer(server, &collections{server: s})
	api.RegisterPointsServer(server, &points{server: s})
	s.mu.Lock()
	s.running = server
	s.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // it ends with Stop
	return nil
}

// Stop drops every connection and stops listening.
func (s *Server) Stop() {
	s.Break(Faults{}) // whoever hangs goes on
	s.mu.Lock()
	running := s.running
	s.running = nil
	s.mu.Unlock()
	if running != nil {
		running.Stop()
	}
}

// Calls counts the calls of a method so far, such as "Query", whether they failed or not.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Queries returns what was asked by Query so far.
func (s *Server) Queries() []*api.QueryPoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// intercept counts a call, checks its key and plays the faults that befall any call.
func (s *Server) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method := info.FullMethod[len("/qdrant."):]
	name := method[slices.Index([]byte(method), '/')+1:]
	s.mu.Lock()
	s.calls[name]++
	if query, ok := request.(*api.QueryPoints); ok {
		s.queries = append(s.queries, proto.CloneOf(query))
	}
	faults, hung := s.faults, s.hung
	s.mu.Unlock()
	if s.key != "" {
		if given := metadata.ValueFromIncomingContext(ctx, "api-key"); !slices.Equal(given, []string{s.key}) {
			return nil, status.Error(codes.PermissionDenied, "Invalid API key or JWT")
		}
	}
	if faults.Unavailable {
		return nil, status.Error(codes.Unavailable, "Service is not ready")
	}
	if faults.Hang {
		select {
		case <-hung:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return handle(ctx, request)
}

type health struct{ api.UnimplementedQdrantServer }

func (health) HealthCheck(context.Context, *api.HealthCheckRequest) (*api.HealthCheckReply, error) {
	return &api.HealthCheckReply{Title: "qdranttest, not a Qdrant", Version: "0.0.0"}, nil
}
