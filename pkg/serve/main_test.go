package serve_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/rae-memory/rae/pkg/serve"
)

// program is a function as a process of its own.
type program struct {
	*exec.Cmd
	url    string
	stderr *bufio.Reader
}

func command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append([]string{programEnv + "=1", "PORT=0"}, env...)
	return cmd
}

// launch starts the program and waits for the line that tells its port.
func launch(t *testing.T, env ...string) *program {
	t.Helper()
	cmd := command(t, env...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: cmd, stderr: bufio.NewReader(pipe)}
	p.url = "http://" + p.until(t, "listening")["address"].(string)
	return p
}

// until reads the log up to the line with the message.
func (p *program) until(t *testing.T, message string) map[string]any {
	t.Helper()
	for {
		raw, err := p.stderr.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the program ended before %q: %v", message, err)
		}
		var record map[string]any
		if err := json.Unmarshal(raw, &record); err != nil {
			t.Fatalf("log line %q: %v", raw, err)
		}
		if record["msg"] == message {
			return record
		}
	}
}

func TestATermSignalEndsTheProgramWithZero(t *testing.T) {
	t.Parallel()
	p := launch(t, "RAE_AUTH=none")
	answer, err := http.Get(p.url + "/health/ready")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("ready: %d", answer.StatusCode)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(p.stderr)
	if err := p.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, rest)
	}
}

func TestASecondSignalEndsTheProgramAtOnce(t *testing.T) {
	t.Parallel()
	p := launch(t, "RAE_AUTH=none", "RAE_LOG_LEVEL=debug")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/held/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	cut := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		cut <- err
	}()
	for { // until the held request is in flight
		answer, err := http.Get(p.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if bytes.Contains(body, []byte("rae_api_requests_in_flight 2")) {
			break
		}
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.until(t, "draining")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, p.stderr)
	err = p.Wait()
	if code := p.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit: %v, want 130 as after an interrupt", err)
	}
	if err := within(t, "the end of the held request", cut); err == nil {
		t.Error("the held request was answered")
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestABadSettingEndsTheProgramWithTwoAndOneLine(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"RAE_AUTH=maybe": "store: RAE_AUTH=maybe is not allowed: it must be none or required\n",
		"RAE_HOST=x":     "store: RAE_JWT_SECRET is not set: it must be set, or RAE_MASTER_KEY, because RAE_AUTH is required; RAE_AUTH=none takes requests from this machine without credentials\n",
	} {
		cmd := command(t, setting)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 2 || stderr.String() != want {
			t.Errorf("%s: %v, code %d, stderr\n%s\nwant\n%s", setting, err, code, &stderr, want)
		}
	}
}

func TestAPortInUseEndsTheProgramWithOne(t *testing.T) {
	t.Parallel()
	first := launch(t, "RAE_AUTH=none")
	_, port, _ := strings.Cut(strings.TrimPrefix(first.url, "http://"), ":")
	second := command(t, "RAE_AUTH=none", "PORT="+port)
	var stderr bytes.Buffer
	second.Stderr = &stderr
	_ = second.Run()
	if code := second.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "listen on 127.0.0.1:"+port) {
		t.Errorf("code %d, stderr %s", code, &stderr)
	}
	_ = first.Process.Kill()
	_ = first.Wait()
}

func TestTheVersionSaysWhatWasBuilt(t *testing.T) {
	t.Parallel()
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for _, c := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"a release", built("v1.2.3", revision), "v1.2.3"},
		{"a checkout", built("(devel)", revision), "0123456789ab"},
		{"a changed checkout", built("", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "0123456789ab-dirty"},
		{"an unchanged one", built("", revision, debug.BuildSetting{Key: "vcs.modified", Value: "false"}), "0123456789ab"},
		{"nothing known", built("(devel)"), "dev"},
	} {
		if got := serve.VersionOf(c.info); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if serve.Version() == "" {
		t.Error("this binary has no version")
	}
}
