package qdrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// breaker leaves a Qdrant alone that has failed tripAfter times in a row, and lets one call try it again after a while.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
}

const tripAfter = 5

func newBreaker(name string, retry time.Duration, log *slog.Logger) *breaker {
	return &breaker{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, Timeout: retry,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: answered,
		IsExcluded:   func(err error) bool { return errors.Is(err, errLeft) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				if from == gobreaker.StateClosed {
					log.Warn("qdrant has failed and is left alone for a while", "by", name)
				}
			case gobreaker.StateClosed:
				log.Info("qdrant answers again", "by", name)
			}
		},
	})}
}

// answered reports whether Qdrant did its work, be it with a refusal: what is missing is told quickly.
func answered(err error) bool { return err == nil || status.Code(err) == codes.NotFound }

// errLeft marks a call whose caller went away before it ended: that says nothing of Qdrant.
var errLeft = errors.New("the caller has left")

// do runs a call within its own time, unless Qdrant is left alone just now.
func (b *breaker) do(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		bounded, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := call(bounded)
		if err != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
			err = fmt.Errorf("%w: %w", errLeft, err)
		}
		return struct{}{}, err
	})
	return err
}

func (b *breaker) open() bool { return b.circuit.State() == gobreaker.StateOpen }
