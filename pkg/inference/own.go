package inference

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/serve"
)

// Hosts are the names of RAE_OWN_HOSTS. Its error is a *serve.ConfigError.
func (b *Budget) Hosts() ([]string, error) {
	var hosts []string
	for host := range strings.SplitSeq(b.OwnHosts, ",") {
		host = strings.ToLower(strings.TrimSpace(host))
		if host == "" {
			continue
		}
		if u, err := url.Parse("http://" + bracketed(host)); err != nil || u.Hostname() != host || u.Port() != "" || u.Path != "" || u.User != nil {
			return nil, &serve.ConfigError{
				Name: "RAE_OWN_HOSTS", Value: b.OwnHosts, Allowed: "names or addresses of hosts, without scheme and port, separated by commas",
			}
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// bracketed is a host as an address has it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// payee is who is paid by the name of the provider on a bill. What costs nothing because the operator computes it costs
// nothing where the operator's machines are: on this one, on its own network, and on the hosts it calls its own. Anybody
// else's server goes by its host besides, so that no price of "ollama" is taken for what it charges.
func (s *setting) payee(own []string) string {
	price, known := budget.Prices(nil).Find(s.provider, "any")
	if !known || price.Input > 0 || price.Output > 0 {
		return s.provider // which is paid anyhow
	}
	address := s.baseURL
	if address == "" {
		address = s.host.baseURL
	}
	u, err := url.Parse(address)
	if err != nil { // check has read it
		return s.provider
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if isOwn(host) || slices.Contains(own, host) {
		return s.provider
	}
	const longest = 64 // of a provider's name in the ledger
	name := s.provider + "@" + host
	return name[:min(len(name), longest)]
}

// ownEndings are those of names that nobody else can have.
var ownEndings = []string{".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".svc.cluster.local"}

// tailnet is where overlay networks and carriers number their members (RFC 6598).
var tailnet = netip.MustParsePrefix("100.64.0.0/10")

// isOwn reports whether the host can only be on the operator's own network: an address of a private range, a name without
// a dot, or under an ending that is not for the internet. No resolver is asked: it could answer differently a minute later.
func isOwn(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified() || tailnet.Contains(address)
	}
	return !strings.Contains(host, ".") || slices.ContainsFunc(ownEndings, func(ending string) bool { return strings.HasSuffix(host, ending) })
}
