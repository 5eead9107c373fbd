package serve

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Config is how a host listens, whom it believes and how long it waits. Start from Defaults or LocalDefaults and
// then Load it.
type Config struct {
	Port           int              `envconfig:"PORT" default:"8080" min:"0" max:"65535"` // 0: any free port
	Host           string           `envconfig:"RAE_HOST"`                                // empty: all interfaces, or loopback when Auth is none
	Auth           auth.Mode        `envconfig:"RAE_AUTH" allowed:"none|required"`
	EventsAuth     auth.Mode        `envconfig:"RAE_EVENTS_AUTH" allowed:"none|required"` // empty: as Auth
	JWTSecret      telemetry.Secret `envconfig:"RAE_JWT_SECRET"`
	MasterKey      telemetry.Secret `envconfig:"RAE_MASTER_KEY"`
	LogLevel       string           `envconfig:"RAE_LOG_LEVEL" default:"info" allowed:"debug|info|warn|error"`
	RequestTimeout time.Duration    `envconfig:"RAE_REQUEST_TIMEOUT" default:"30s" min:"10ms" max:"1h"`
	StreamTimeout  time.Duration    `envconfig:"RAE_STREAM_TIMEOUT" default:"30s" min:"10ms" max:"1h"` // of silence within a stream
	DrainDelay     time.Duration    `envconfig:"RAE_DRAIN_DELAY" default:"0s" min:"0s" max:"5m"`       // still accepting after SIGTERM
	RateLimit      int              `envconfig:"RAE_RATE_LIMIT" default:"0" min:"0" max:"1000000"`     // requests a second of one tenant; 0: as many as it likes
	RateBurst      int              `envconfig:"RAE_RATE_BURST" default:"0" min:"0" max:"1000000"`     // of them at once; 0: as many as in a second
}

// Defaults is the configuration of a function before the environment speaks: credentials required.
func Defaults() Config { return withDefaults(Config{Auth: auth.Required}) }

// LocalDefaults is the configuration of a program on one's own machine: no credentials, loopback only.
func LocalDefaults() Config { return withDefaults(Config{Auth: auth.None, Host: "127.0.0.1"}) }

// withDefaults says what the tags say, for a Config that is built in code.
func withDefaults(c Config) Config {
	c.Port, c.LogLevel, c.RequestTimeout, c.StreamTimeout = 8080, "info", 30*time.Second, 30*time.Second
	return c
}

const shortSecret = 32 // bytes; RFC 7518 section 3.2 asks for no less of an HS256 key

// Plain classes without counted repeats: they are compiled at every cold start.
var (
	hostName     = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)
	visibleASCII = regexp.MustCompile(`^[!-~]*$`)
)

// Check finds what no single field shows.
func (c *Config) Check() error {
	if _, err := netip.ParseAddr(c.Host); err != nil && c.Host != "" && !hostName.MatchString(c.Host) {
		return &ConfigError{Name: "RAE_HOST", Value: c.Host, Allowed: "an IP address or a host name, without a port"}
	}
	if !visibleASCII.MatchString(string(c.MasterKey)) {
		return &ConfigError{Name: "RAE_MASTER_KEY", Secret: true, Allowed: "visible ASCII without spaces or line breaks, or no header can carry it"}
	}
	if (c.Auth == auth.Required || c.EventsAuth == auth.Required) && c.JWTSecret.Empty() && c.MasterKey.Empty() {
		return &ConfigError{Name: "RAE_JWT_SECRET", Missing: true,
			Allowed: "set, or RAE_MASTER_KEY, because RAE_AUTH is required; RAE_AUTH=none takes requests from this machine without credentials"}
	}
	return nil
}

// address is where to listen. Without credentials that is this machine, unless somebody said otherwise by name.
func (c *Config) address() string {
	host := c.Host
	if host == "" && c.Auth == auth.None {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(c.Port))
}

// warnings are what an operator should read once, at the start.
func (c *Config) warnings() []string {
	var warnings []string
	if c.Auth == auth.None && c.reachable() {
		warnings = append(warnings, "RAE_AUTH=none on a reachable address: anybody who can connect can read and erase every tenant's memories; set RAE_AUTH=required, or unset RAE_HOST")
	}
	if c.Auth == auth.Required && c.EventsAuth == auth.None {
		warnings = append(warnings, "RAE_EVENTS_AUTH=none: anybody who can connect can post events; let the network admit the broker only")
	}
	if n := len(c.JWTSecret); n > 0 && n < shortSecret {
		warnings = append(warnings, "RAE_JWT_SECRET is shorter than 32 bytes and can be guessed from one token; use 32 random bytes or more")
	}
	return warnings
}
