package qdrant

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/rae-memory/rae/pkg/fault"
)

// Target is where a Qdrant listens for gRPC.
type Target struct {
	Host string
	Port int
	TLS  bool
}

// Qdrant's usual ports. The second one does not speak gRPC.
const (
	grpcPort = 6334
	restPort = 6333
)

// ParseURL reads grpc://host[:port] or grpcs://host[:port]; http and https say the same. The port is 6334 where none is
// named. Anything else is Invalid, and the error says what is allowed.
func ParseURL(text string) (Target, error) {
	refuse := func() (Target, error) {
		return Target{}, fault.New(fault.Invalid, "the address of Qdrant must be grpc://host:port or grpcs://host:port, nothing more")
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return refuse()
	}
	t := Target{Host: u.Hostname(), Port: grpcPort}
	switch u.Scheme {
	case "grpc", "http":
	case "grpcs", "https":
		t.TLS = true
	default:
		return refuse()
	}
	if u.Port() != "" {
		if t.Port, err = strconv.Atoi(u.Port()); err != nil || t.Port < 1 || t.Port > 65535 {
			return refuse()
		}
	}
	if t.Port == restPort {
		return Target{}, fault.New(fault.Invalid, "port 6333 is Qdrant's REST API; RAE speaks gRPC, usually on port 6334")
	}
	return t, nil
}

const maxMessage = 64 << 20 // a page of points with their vectors

// connect makes the connection, which dials when first used. A Qdrant that comes back is found within two seconds: the
// circuit breaker is what spares it.
func (t Target) connect(key string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if t.TLS {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, Jitter: .2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}), // a peer that vanished is noticed
	}
	if key != "" {
		options = append(options, grpc.WithPerRPCCredentials(apiKey(key)))
	}
	return grpc.NewClient("dns:///"+net.JoinHostPort(t.Host, strconv.Itoa(t.Port)), options...)
}

// apiKey is sent with every call.
type apiKey string

func (k apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"api-key": string(k)}, nil
}

func (apiKey) RequireTransportSecurity() bool { return false }
func (apiKey) String() string                 { return "***" }
func (apiKey) GoString() string               { return "***" }
