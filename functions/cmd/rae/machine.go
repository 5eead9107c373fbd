package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine says what figures were measured on: processor, cores, operating system and Go.
func machine() string {
	processor := valueIn("/proc/cpuinfo", "model name", ":")
	if processor == "" {
		processor = "a processor that does not say its name"
	}
	system := strings.Trim(valueIn("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if system == "" {
		system = runtime.GOOS
	}
	return fmt.Sprintf("%s, %s, %s %s, %s", processor, counted(runtime.NumCPU(), "core", "cores"), system, runtime.GOARCH, runtime.Version())
}

// valueIn returns the value of a key in a file of lines "key separator value", "" when there is none.
func valueIn(path, key, separator string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), separator); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }
