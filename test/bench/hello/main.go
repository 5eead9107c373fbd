// Command hello is the least a Go web server can be: what starting and answering cost before RAE adds anything.
package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("listening", "address", listener.Addr().String())
	err = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"hello":"world"}`) }))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
