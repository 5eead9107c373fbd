package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

type row struct {
	ID       string
	Features map[string]float64
}

func main() {
	ctx := context.Background()
	c, err := open(ctx, os.Args[1])
	if err != nil {
		panic(err)
	}
	f, _ := os.Create(os.Args[2])
	w := bufio.NewWriter(f)
	var took time.Duration
	for i := range c.set.Questions {
		q := &c.set.Questions[i]
		began := time.Now()
		found, err := c.ask(ctx, q)
		took += time.Since(began)
		if err != nil {
			panic(err)
		}
		var rows []row
		for _, r := range found {
			rows = append(rows, row{r.Memory.ExternalID, r.Explain.Features})
		}
		b, _ := json.Marshal(struct {
			Q    string
			Rows []row
		}{q.ID, rows})
		fmt.Fprintln(w, string(b))
	}
	w.Flush()
	fmt.Println(took / time.Duration(len(c.set.Questions)))
}
