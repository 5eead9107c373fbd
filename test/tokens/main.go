// Command tokens writes the files of package pkg/tokens: the lists of the tokenizers it counts as.
//
//	go run ./test/tokens
package main

import (
	"fmt"
	"os"
	"path/filepath"

	loader "github.com/pkoukk/tiktoken-go-loader"

	"github.com/rae-memory/rae/pkg/tokens"
)

func main() {
	for name, list := range lists() {
		packed, err := merges(list)
		if err == nil {
			err = os.WriteFile(filepath.Join("pkg", "tokens", name), packed, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "tokens:", err)
			os.Exit(1)
		}
	}
}

// lists are the tokenizers' own lists, by the file that holds each.
func lists() map[string]string {
	return map[string]string{"cl100k.bin": "cl100k_base.tiktoken", "o200k.bin": "o200k_base.tiktoken"}
}

// merges packs a list for pkg/tokens.
func merges(list string) ([]byte, error) {
	ranks, err := loader.NewOfflineLoader().LoadTiktokenBpe(list)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", list, err)
	}
	inOrder := make([][]byte, len(ranks))
	for token, rank := range ranks {
		inOrder[rank] = []byte(token)
	}
	return tokens.Pack(inOrder)
}
